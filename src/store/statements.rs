//! What a user's files of statements come to: some run once, the others for each record.

use std::borrow::Cow;
use std::path::Path;
use std::sync::LazyLock;

use rusqlite::{Connection, Statement as Prepared};

use super::error::problem;
use super::guard::Guard;
use super::script::{self, Script, Statement};
use super::{Error, of_file};
use crate::record::{Pointer, Record};

/// What a statement can ask of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Headers,
    ConsumedAt,
}

const PARAMETERS: [(&str, Parameter); 8] = [
    (":topic", Parameter::Topic),
    (":partition", Parameter::Partition),
    (":offset", Parameter::Offset),
    (":timestamp", Parameter::Timestamp),
    (":key", Parameter::Key),
    (":value", Parameter::Value),
    (":headers", Parameter::Headers),
    (":consumed_at", Parameter::ConsumedAt),
];

/// Where a value says what type it is of.
static IN_VALUE: LazyLock<Vec<Pointer>> = LazyLock::new(|| {
    let pointers = ["/type", "/data_type"].into_iter();
    pointers
        .filter_map(|pointer| pointer.parse().ok())
        .collect()
});

/// A statement that runs for each record, or for those of one type.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) statement: Statement,
    /// The type's place in [`Steps::types`].
    pub(super) only: Option<usize>,
    /// In the order of their numbers.
    pub(super) parameters: Vec<Parameter>,
}

/// All of them, in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    types: Types,
}

impl Steps {
    /// Reads the scripts, runs once what makes tables, views, indexes and triggers, and prepares the rest: what is wrong
    /// with any of them is told now, and then nothing in the file has changed.
    pub(super) fn prepare(
        connection: &mut Connection,
        path: &Path,
        scripts: &[Script],
    ) -> Result<Self, Error> {
        let mut read = Vec::new();
        for script in scripts {
            read.push((script.only.as_deref(), script::read(&script.path)?));
        }
        if read.is_empty() {
            return Ok(Self::default());
        }
        let fault = |source| of_file(path, source);
        connection.execute_batch("BEGIN IMMEDIATE").map_err(fault)?;
        let steps = Guard::over(connection)
            .map_err(fault)
            .and_then(|guard| Self::compile(&guard, read));
        let end = if steps.is_ok() { "COMMIT" } else { "ROLLBACK" };
        connection.execute_batch(end).map_err(fault)?;
        connection.set_prepared_statement_cache_capacity(
            steps.as_ref().map_or(0, |steps| steps.steps.len()) + 16,
        );
        steps
    }

    fn compile(
        guard: &Guard<'_>,
        scripts: Vec<(Option<&str>, Vec<Statement>)>,
    ) -> Result<Self, Error> {
        let mut all = Self::default();
        for (only, statements) in scripts {
            let only = only.map(|only| all.types.number(only));
            for statement in statements {
                let mut prepared = prepared(guard, &statement)?;
                let parameters = parameters(&prepared, &statement)?;
                match statement.verb().as_str() {
                    "create" | "drop" if parameters.is_empty() => {
                        prepared
                            .raw_execute()
                            .map_err(|error| wrong(&statement, &error))?;
                    }
                    "create" | "drop" => {
                        return Err(Error::Statement {
                            place: statement.place(0),
                            problem: "what is made once cannot ask for a record".to_owned(),
                            hint: None,
                        });
                    }
                    _ => {
                        drop(prepared);
                        all.steps.push(Step {
                            statement,
                            only,
                            parameters,
                        });
                    }
                }
            }
        }
        Ok(all)
    }

    /// Adds the numbers of the record's types.
    pub(super) fn note_types(&self, record: &Record<'_>, numbers: &mut Vec<usize>) {
        if !self.types.0.is_empty() {
            self.types.note(record, numbers);
        }
    }
}

fn prepared<'c>(guard: &'c Guard<'_>, statement: &Statement) -> Result<Prepared<'c>, Error> {
    if statement.verb() == "vacuum" {
        return Err(Error::Statement {
            place: statement.place(0),
            problem: "a file is not vacuumed within a transaction".to_owned(),
            hint: None,
        });
    }
    guard
        .connection()
        .prepare(&statement.sql)
        .map_err(|error| match guard.take_refusal() {
            Some(refusal) => Error::Statement {
                place: statement.place(0),
                problem: refusal.what.to_owned(),
                hint: refusal.hint,
            },
            None => wrong(statement, &error),
        })
}

fn parameters(prepared: &Prepared<'_>, statement: &Statement) -> Result<Vec<Parameter>, Error> {
    let unknown = |name: &str| Error::Statement {
        place: statement.place(statement.sql.find(name).unwrap_or_default()),
        problem: format!("no parameter `{name}`"),
        hint: Some(
            "there are :topic :partition :offset :timestamp :key :value :headers :consumed_at",
        ),
    };
    (1..=prepared.parameter_count())
        .map(|number| {
            let name = prepared.parameter_name(number).unwrap_or("?");
            let found = PARAMETERS.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, parameter)| *parameter)
                .ok_or_else(|| unknown(name))
        })
        .collect()
}

/// What is wrong with a statement, at its place.
fn wrong(statement: &Statement, error: &rusqlite::Error) -> Error {
    let offset = match error {
        rusqlite::Error::SqlInputError { offset, .. } => usize::try_from(*offset).unwrap_or(0),
        _ => 0,
    };
    let problem = problem(error);
    Error::Statement {
        hint: problem
            .ends_with("already exists")
            .then_some("write IF NOT EXISTS: it runs whenever kpipe starts"),
        place: statement.place(offset),
        problem,
    }
}

/// The types that statements are for, by number.
#[derive(Debug, Default)]
struct Types(Vec<String>);

impl Types {
    fn number(&mut self, name: &str) -> usize {
        let known = self.0.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.0.push(name.to_owned());
            self.0.len() - 1
        })
    }

    /// A record's types are its header `ce_type`, and `/type` and `/data_type` of its value.
    fn note(&self, record: &Record<'_>, numbers: &mut Vec<usize>) {
        let first = numbers.len();
        let mut add = |name: &[u8]| {
            let known = self.0.iter().position(|known| known.as_bytes() == name);
            if let Some(number) = known
                && !numbers[first..].contains(&number)
            {
                numbers.push(number);
            }
        };
        let named = record
            .headers
            .iter()
            .filter(|header| header.name == b"ce_type");
        named.filter_map(|header| header.value).for_each(&mut add);
        let json = record.value.and_then(|value| str::from_utf8(value).ok());
        // Only an object has a name in it.
        let Some(json) = json.filter(|json| json.trim_start().starts_with('{')) else {
            return;
        };
        for pointer in &*IN_VALUE {
            let Ok(Some(found)) = pointer.find(json) else {
                continue;
            };
            if let Ok(name) = serde_json::from_str::<Cow<'_, str>>(found.get()) {
                add(name.as_bytes());
            }
        }
    }
}
