//! TAB completes what kpipe knows, in the shells themselves, and never waits for Kafka.

use rexpect::session::spawn_command;

use crate::support::{DEADLINE, Place};

/// Where no broker answers: whatever is completed here was known before.
const NOWHERE: &str = "127.0.0.1:1";

/// Calls bash's completion as bash does for a line with the cursor at its end.
const ASK: &str = r#"
source "$SCRIPTS/kpipe.bash"
compopt() { echo "compopt $*"; }
COMP_LINE=$LINE COMP_POINT=${#LINE}
COMP_WORDS=()
rest=$LINE
# As readline does, `=` and `:` are words of their own.
while [[ $rest =~ ^[[:blank:]]*([=:]+|[^[:blank:]=:]+)(.*)$ ]]; do
    COMP_WORDS+=("${BASH_REMATCH[1]}")
    rest=${BASH_REMATCH[2]}
done
if [[ $LINE == *" " ]]; then COMP_WORDS+=(""); fi
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
current=${COMP_WORDS[COMP_CWORD]}
if [[ $current == [=:] ]]; then current=; fi
_kpipe kpipe "$current" ""
if ((${#COMPREPLY[@]})); then printf '%s\n' "${COMPREPLY[@]}"; fi
"#;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions");

/// What bash replaces the last word of `line` with, or the part of it behind `=` or `:`.
#[track_caller]
fn replies(place: &Place, line: &str) -> Vec<String> {
    let ended = place
        .bash(ASK)
        .env("SCRIPTS", SCRIPTS)
        .env("LINE", line)
        .run()
        .ends(0)
        .errors("");
    ended.out().lines().map(str::to_owned).collect()
}

/// A place with a cluster that was asked for its topics, and is gone.
fn asked() -> (Place, String) {
    let mut place = Place::with(&["orders", "orders-test", "audit"]);
    let brokers = place.brokers().to_owned();
    let _ = place.kpipe(&["tail", "^orders$", "-e"]).run().ends(0);
    place.lose_broker();
    (place, brokers)
}

#[test]
fn commands_flags_and_values_are_those_of_the_grammar() {
    let place = Place::at(NOWHERE);
    assert_eq!(replies(&place, "kpipe subs"), ["subscription"]);
    assert_eq!(replies(&place, "kpipe topic app"), ["approve"]);
    assert_eq!(replies(&place, "kpipe tail --fail"), ["--fail-empty"]);
    assert_eq!(
        replies(&place, "kpipe completions "),
        ["bash", "zsh", "fish"]
    );
    assert_eq!(replies(&place, "kpipe tail orders --color al"), ["always"]);
    assert_eq!(replies(&place, "kpipe tail orders --color=al"), ["always"]);
    assert_eq!(replies(&place, "kpipe help sto"), ["store"]);
    assert_eq!(replies(&place, "kpipe help exi"), ["exit-status"]);
    assert_eq!(replies(&place, "kpipe help subs"), ["subscription"]);
    let hidden = replies(&place, "kpipe comp");
    assert_eq!(hidden, ["completions"]);
}

#[test]
fn topics_are_those_that_the_cluster_listed_when_it_was_asked_last() {
    let (place, brokers) = asked();
    let line = format!("kpipe -b {brokers} tail o");
    assert_eq!(replies(&place, &line), ["orders", "orders-test"]);
    let line = format!("kpipe tail --brokers={brokers} audit or");
    assert_eq!(replies(&place, &line), ["orders", "orders-test"]);
    let line = format!("kpipe -b {brokers} handle a");
    assert_eq!(replies(&place, &line), ["audit"]);
    // Another cluster has others.
    assert!(replies(&place, "kpipe -b 127.0.0.1:2 tail o").is_empty());
}

#[test]
fn requests_are_those_that_the_command_can_act_on() {
    let place = Place::at(NOWHERE);
    for (name, by) in [("orders", "alice"), ("payments", "alice")] {
        place
            .kpipe(&["topic", "request", name, "--by", by, "-q"])
            .run()
            .ends(0);
    }
    place
        .kpipe(&["topic", "approve", "payments", "--by", "bob", "-q"])
        .run()
        .ends(0);
    assert_eq!(replies(&place, "kpipe topic approve "), ["orders"]);
    assert_eq!(
        replies(&place, "kpipe topic cancel "),
        ["orders", "payments"]
    );
    let active = replies(&place, "kpipe topic deactivate ");
    assert!(
        active.iter().all(|reply| reply.starts_with('-')),
        "{active:?}"
    );
}

#[test]
fn profiles_come_from_the_file_and_no_command_in_it_is_run() {
    let place = Place::at(NOWHERE);
    place.write(
        "config/kpipe/config.toml",
        "[profiles.prod]\nbrokers = 'a:1'\npassword_command = ['touch', 'ran']\n\
         [profiles.preview]\nbrokers = 'b:1'\n",
    );
    std::fs::set_permissions(
        place.path("config/kpipe/config.toml"),
        std::os::unix::fs::PermissionsExt::from_mode(0o600),
    )
    .unwrap();
    assert_eq!(
        replies(&place, "kpipe config show -C p"),
        ["preview", "prod"]
    );
    assert!(replies(&place, "kpipe tail -C prod x").is_empty());
    assert!(!place.path("ran").exists());
}

#[test]
fn kinds_are_those_that_are_built_in_and_files_are_the_shells() {
    let place = Place::at(NOWHERE);
    assert_eq!(replies(&place, "kpipe generate sens"), ["sensor"]);
    assert_eq!(
        replies(&place, "kpipe send --file "),
        ["compopt -o default"]
    );
    assert_eq!(
        replies(&place, "kpipe handle orders -g g -- "),
        ["compopt -o default"]
    );
}

/// Types a line into a shell, TABs included, and waits for the words that it ran `kpipe` with.
fn types(shell: &[&str], script: &str, typed: &str, words: &str) {
    let (place, brokers) = asked();
    let mut command = place.bash("").into_command();
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = std::process::Command::new(shell[0]);
    command
        .args(&shell[1..])
        .env_clear()
        .envs(environment)
        .env("TERM", "dumb")
        .env("KPIPE_BROKERS", brokers)
        .current_dir(place.path(""));
    let deadline = u64::try_from(DEADLINE.as_millis()).unwrap();
    let mut session = spawn_command(command, Some(deadline)).unwrap();
    // The question goes to kpipe; what would run is shown instead.
    session
        .send_line(
            "kpipe() { if [ \"$1\" = complete ]; then command kpipe \"$@\"; \
             else printf '<%s>' \"$@\"; fi; }",
        )
        .unwrap();
    session
        .send_line(&format!("{script}; echo rea''dy"))
        .unwrap();
    session.exp_string("ready").unwrap();
    session.send_line(typed).unwrap();
    session.exp_string(words).unwrap();
    session.send_line("exit").unwrap();
}

#[test]
fn a_tab_in_bash_completes_what_was_typed() {
    types(
        &["bash", "--norc", "--noprofile", "-i"],
        &format!("source {SCRIPTS}/kpipe.bash"),
        "kpipe topic descr\taud\t",
        "<topic><describe><audit>",
    );
}

/// Shells that are not everywhere: `.ci/run` installs them and insists.
#[track_caller]
fn has(shell: &str) -> bool {
    let there = std::process::Command::new(shell).arg("--version").output();
    let insists = std::env::var_os("KPIPE_TEST_SHELLS").is_some();
    assert!(there.is_ok() || !insists, "{shell} is not installed");
    there.is_ok()
}

#[test]
fn fish_completes_with_what_each_candidate_is() {
    if !has("fish") {
        return;
    }
    let (place, brokers) = asked();
    let ask = |line: &str| {
        let script = format!(
            "fish --no-config -c 'source $SCRIPTS/kpipe.fish; complete --do-complete \"{line}\"'"
        );
        place
            .bash(&script)
            .env("SCRIPTS", SCRIPTS)
            .env("KPIPE_BROKERS", &brokers)
            .run()
            .ends(0)
            .out()
    };
    assert_eq!(ask("kpipe tail or"), "orders\norders-test\n");
    let sensor = ask("kpipe generate sens");
    assert!(sensor.starts_with("sensor\t"), "{sensor}");
    assert_eq!(ask("kpipe tail orders --color=al"), "--color=always\n");
}

#[test]
fn a_tab_in_zsh_completes_what_was_typed() {
    if !has("zsh") {
        return;
    }
    types(
        &["zsh", "-f", "-i"],
        &format!("autoload -Uz compinit; compinit -u -D; source {SCRIPTS}/_kpipe"),
        "kpipe topic descr\taud\t",
        "<topic><describe><audit>",
    );
}
