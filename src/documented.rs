//! Every command line that users are shown parses: those of help, README and `docs/`.
//!
//! What a shell would do with a line is done here as far as it takes to find the words of each kpipe
//! in it. Left out are only lines with `…`, in which the writer left something out, too.

use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;

use crate::cli::Cli;

/// One command of a script: its words, unquoted.
type Words = Vec<String>;

/// The commands of a script, those inside `$(…)`, `<(…)` and `{…}` included.
fn commands(script: &str) -> Vec<Words> {
    let mut reading = Reading {
        rest: script.chars().collect(),
        at: 0,
        found: Vec::new(),
    };
    while reading.at < reading.rest.len() {
        reading.list();
    }
    reading.found
}

struct Reading {
    rest: Vec<char>,
    at: usize,
    found: Vec<Words>,
}

impl Reading {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    /// Reads commands up to an unmatched `)` or the end.
    fn list(&mut self) {
        let mut words = Words::new();
        while let Some(character) = self.peek() {
            match character {
                ')' => {
                    self.at += 1;
                    break;
                }
                '\n' | ';' | '|' | '&' | '(' => {
                    self.at += 1;
                    self.end(&mut words);
                }
                '#' => {
                    while self.peek().is_some_and(|character| character != '\n') {
                        self.at += 1;
                    }
                }
                ' ' | '\t' => self.at += 1,
                '\\' if self.rest.get(self.at + 1) == Some(&'\n') => self.at += 2,
                '<' | '>' if self.rest.get(self.at + 1) != Some(&'(') => {
                    self.at += 1;
                    while matches!(self.peek(), Some('<' | '>' | '&' | ' ')) {
                        self.at += 1;
                    }
                    self.word();
                }
                _ => {
                    let word = self.word();
                    let redirected = matches!(self.peek(), Some('>' | '<'))
                        && word.chars().all(|digit| digit.is_ascii_digit());
                    if !redirected {
                        words.push(word);
                    }
                }
            }
        }
        self.end(&mut words);
    }

    fn end(&mut self, words: &mut Words) {
        if !words.is_empty() {
            self.found.push(std::mem::take(words));
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        let mut quote = None;
        while let Some(character) = self.peek() {
            let next = self.rest.get(self.at + 1).copied();
            match (quote, character) {
                (Some(open), close) if open == close => quote = None,
                (Some('\''), other) => word.push(other),
                (_, '$') if next == Some('(') => {
                    self.at += 2;
                    self.list();
                    word.push('1');
                    continue;
                }
                (None, '<' | '>') if next == Some('(') => {
                    self.at += 2;
                    self.list();
                    word.push_str("/dev/fd/63");
                    continue;
                }
                (_, '\\') if next.is_some() => {
                    self.at += 1;
                    word.extend(next);
                }
                (None, '\'' | '"') => quote = Some(character),
                (None, ' ' | '\t' | '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>') => break,
                (_, other) => word.push(other),
            }
            self.at += 1;
        }
        word
    }
}

/// The arguments of each kpipe that a script runs: itself, or by `timeout`, `xargs`, another kpipe.
fn invocations(script: &str) -> Vec<Words> {
    let mut found = Vec::new();
    for words in commands(script) {
        let is_kpipe = |word: &String| word == "kpipe";
        // A program that takes `kpipe` as its last word is told of it, and does not run it.
        let first = words.iter().position(is_kpipe);
        let Some(first) = first.filter(|first| *first == 0 || first + 1 < words.len()) else {
            continue;
        };
        if words[..first]
            .iter()
            .any(|word| word == "apt" || word == "cargo" || word == "FROM")
        {
            continue;
        }
        let by_xargs = words[..first].iter().any(|word| word == "xargs");
        let mut words = words[first..].to_vec();
        // xargs appends what it reads.
        words.extend(by_xargs.then(|| "appended".to_owned()));
        found.push(words.clone());
        if let Some(end) = words.iter().position(|word| word == "--")
            && words.get(end + 1).is_some_and(is_kpipe)
        {
            found.push(words[end + 1..].to_vec());
        }
    }
    found
}

/// Checks each line, and returns how many kpipes there were.
fn parse_all(place: &str, script: &str) -> usize {
    // What a here-document holds is not run.
    let mut body: Option<String> = None;
    let mut lines = String::new();
    for line in script.lines() {
        if let Some(end) = &body {
            if line.trim() == end {
                body = None;
            }
            continue;
        }
        if let Some((_, end)) = line.split_once("<<") {
            let end = end.trim_start_matches('-').split_whitespace().next();
            body = end.map(|end| end.trim_matches(['\'', '"']).to_owned());
        }
        if !line.contains('…') {
            lines.push_str(line);
            lines.push('\n');
        }
    }
    let invocations = invocations(&lines);
    let wrong: Vec<String> = invocations
        .iter()
        .filter_map(|words| {
            let error = Cli::try_parse_from(words).err()?;
            let shows = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            (!shows).then(|| format!("{}\n{error}", words.join(" ")))
        })
        .collect();
    assert!(wrong.is_empty(), "{place}:\n{}", wrong.join("\n"));
    invocations.len()
}

/// The examples of a command's help: a line each, with what it does behind two blanks.
fn examples(help: &str) -> String {
    help.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .map(|line| line.trim_start().split("  ").next().unwrap_or_default())
        .flat_map(|line| [line, "\n"])
        .collect()
}

#[test]
fn every_example_in_help_parses() {
    let mut commands = vec![crate::grammar()];
    let (mut found, mut without) = (0, Vec::new());
    while let Some(command) = commands.pop() {
        let help = command.get_after_long_help().map(ToString::to_string);
        let here = help.map_or(0, |help| parse_all(command.get_name(), &examples(&help)));
        let is_leaf = command.get_subcommands().next().is_none();
        if here == 0 && is_leaf && !command.is_hide_set() {
            without.push(command.get_name().to_owned());
        }
        found += here;
        commands.extend(command.get_subcommands().cloned());
    }
    assert!(found > 100, "only {found} examples were found");
    without.sort();
    // Their noun's examples show them.
    assert_eq!(
        without,
        ["add", "broker", "group", "list", "remove", "topic"],
        "commands without an example"
    );
}

#[test]
fn every_command_in_readme_and_docs_parses() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        pages.push(entry.unwrap().path());
    }
    let mut found = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        let mut script = None;
        for line in text.lines() {
            match (&mut script, line.trim_start()) {
                (None, "```sh" | "```console" | "```bash") => script = Some(String::new()),
                (Some(whole), "```") => {
                    found += parse_all(&page.display().to_string(), whole);
                    script = None;
                }
                (Some(whole), line) => {
                    whole.push_str(line.strip_prefix("$ ").unwrap_or(line));
                    whole.push('\n');
                }
                (None, _) => {}
            }
        }
    }
    assert!(found > 60, "only {found} commands were found");
}

#[test]
fn what_users_of_other_tools_are_told_to_type_parses() {
    let tips = crate::usage::ELSEWHERE.iter().map(|(_, tip)| tip);
    for tip in tips.copied().chain([crate::usage::CONSUMING]) {
        for typed in tip.split('`').skip(1).step_by(2) {
            if typed.starts_with('-') {
                let is_known_to = |command: &&&str| {
                    let words = invocations(&format!("kpipe {command} x {typed}"));
                    Cli::try_parse_from(&words[0]).is_ok()
                };
                let taker = ["tail", "send", "topic create"].iter().find(is_known_to);
                assert!(taker.is_some(), "{typed}");
            } else {
                parse_all(tip, typed);
            }
        }
    }
}

#[test]
fn words_are_found_as_a_shell_finds_them() {
    let script = "a=$(kpipe tail x -e | jq -r '.a | .b') && timeout 5 kpipe \\\n send \"y z\" 2>&1 > f # kpipe no\n\
                  diff <(kpipe tail p) q; kpipe broker -- kpipe ping";
    let found: Vec<String> = invocations(script)
        .iter()
        .map(|words| words.join("|"))
        .collect();
    assert_eq!(
        found,
        [
            "kpipe|tail|x|-e",
            "kpipe|send|y z",
            "kpipe|tail|p",
            "kpipe|broker|--|kpipe|ping",
            "kpipe|ping"
        ]
    );
}
