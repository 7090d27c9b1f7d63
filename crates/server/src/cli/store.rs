//! `chancery store`: the databases themselves.

use std::path::PathBuf;
use std::process::ExitCode;

use ::store::Engine;
use ::store::engine::postgres::{PostgresEngine, PostgresOptions, Rewritten};
use base::{Clock, SystemClock};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::operate::Bar;
use super::{CliError, say, unsealing};
use crate::config::{CellConfig, Config, EngineConfig};
use crate::service;

const EXAMPLES: &str = "Examples:\n  \
    chancery store purge --config chancery.toml                 every cell, for instance each night\n  \
    chancery store purge --config chancery.toml --cell europe\n\n\
    What was deleted cannot be read any more once the deletion was answered: its key is gone. This verb is about the sealed\n\
    bytes that PostgreSQL leaves in its files until it needs their room. Each table is locked while it is written anew, so\n\
    requests wait: choose a quiet hour. A SQLite file needs no such thing: there they are gone within 60 s.";

/// Look after the databases of a configuration.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Store {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write the tables anew, so that the bytes of what was deleted leave the files.
    Purge(Purge),
}

#[derive(Debug, Args)]
struct Purge {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = super::default_config())]
    config: PathBuf,
    /// The cell of this geography alone.
    #[arg(long, value_name = "GEOGRAPHY")]
    cell: Option<String>,
    /// Print JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// What came of one cell.
struct Purged {
    geography: String,
    /// Tables, and what was rewritten of each or why not; none for an engine that needs no purge.
    tables: Option<Vec<(&'static str, Result<Rewritten, String>)>>,
    journal: Result<(), String>,
}

impl Store {
    pub(super) async fn run(self) -> Result<ExitCode, CliError> {
        match self.verb {
            Verb::Purge(purge) => purge.run().await,
        }
    }
}

impl Purge {
    async fn run(self) -> Result<ExitCode, CliError> {
        let config = Config::load(&self.config).map_err(CliError::Config)?;
        let is_meant = |cell: &&CellConfig| {
            self.cell.as_deref().is_none_or(|geography| geography == cell.geography.as_str())
        };
        unsealing::unseal(&config).await?;
        let mut all = Vec::new();
        for cell in config.cells.iter().filter(is_meant) {
            all.push(purge(cell).await?);
        }
        if let (Some(geography), true) = (&self.cell, all.is_empty()) {
            return Err(CliError::NoSuchCell { geography: geography.clone() });
        }
        let is_done = all.iter().all(Purged::is_done);
        let text =
            if self.json { format!("{:#}\n", value(&all)) } else { all.iter().map(Purged::text).collect() };
        say(&text)?;
        Ok(if is_done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn purge(cell: &CellConfig) -> Result<Purged, CliError> {
    let geography = cell.geography.as_str().to_owned();
    let EngineConfig::Postgres { url, schema } = &cell.engine else {
        return Ok(Purged { geography, tables: None, journal: Ok(()) });
    };
    let mut options = PostgresOptions::new(url.fetch()?.expose());
    options.schema.clone_from(schema);
    let failed =
        |fault: ::store::EngineError| CliError::Cell { geography: geography.clone(), why: fault.to_string() };
    let engine = PostgresEngine::open(&options).await.map_err(failed)?;
    engine.prepare(&::store::cell::keyspaces(&service::keyspaces())).await.map_err(failed)?;
    let names = engine.tables();
    let mut bar = Bar::new("Writing tables anew", SystemClock.now());
    let mut tables = Vec::new();
    for (at, name) in names.iter().enumerate() {
        bar.left(names.len() - at, SystemClock.now());
        tables.push((*name, engine.rewrite(name).await.map_err(|fault| fault.to_string())));
    }
    bar.end();
    let journal = engine.let_go_of_journal().await.map_err(|fault| fault.to_string());
    engine.close().await.map_err(failed)?;
    Ok(Purged { geography, tables: Some(tables), journal })
}

impl Purged {
    fn is_done(&self) -> bool {
        self.journal.is_ok() && self.tables.iter().flatten().all(|(_, fate)| fate.is_ok())
    }

    /// Bytes before and after.
    fn bytes(&self) -> (u64, u64) {
        let done = self.tables.iter().flatten().filter_map(|(_, fate)| fate.as_ref().ok());
        done.fold((0, 0), |(before, after), one| (before + one.before, after + one.after))
    }

    fn text(&self) -> String {
        let Some(tables) = &self.tables else {
            return format!("{}: a SQLite file; what is deleted leaves it within 60 s.\n", self.geography);
        };
        let (before, after) = self.bytes();
        let mut text = format!(
            "{}: {} tables written anew, {before} bytes before and {after} after.\n",
            self.geography,
            tables.iter().filter(|(_, fate)| fate.is_ok()).count()
        );
        for (name, why) in tables.iter().filter_map(|(name, fate)| Some((name, fate.as_ref().err()?))) {
            text.push_str(&format!("  {name}: left as it was: {why}\n"));
        }
        if let Err(why) = &self.journal {
            text.push_str(&format!(
                "  the journal (WAL) may hold deleted bytes until it is written over: {why}\n    -> ALTER SYSTEM SET \
                 wal_recycle = off, and GRANT pg_checkpoint and EXECUTE ON FUNCTION pg_switch_wal to the user\n"
            ));
        }
        text
    }
}

fn value(all: &[Purged]) -> Value {
    let cells = all.iter().map(|cell| {
        let (before, after) = cell.bytes();
        let failed = cell
            .tables
            .iter()
            .flatten()
            .filter_map(|(name, fate)| Some(json!({ "table": name, "why": fate.as_ref().err()? })));
        json!({
            "dataLocation": cell.geography,
            "tables": cell.tables.as_ref().map(Vec::len),
            "bytesBefore": before,
            "bytesAfter": after,
            "failed": failed.collect::<Vec<_>>(),
            "journal": cell.journal.as_ref().err(),
        })
    });
    json!({ "ok": all.iter().all(Purged::is_done), "cells": cells.collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn purged(journal: Result<(), String>) -> Purged {
        let tables = vec![
            ("scope_key", Ok(Rewritten { before: 100, after: 40 })),
            ("chat_message", Err("in use".to_owned())),
        ];
        Purged { geography: "europe".to_owned(), tables: Some(tables), journal }
    }

    #[test]
    fn what_was_not_done_is_said_with_what_to_do() {
        let one = purged(Err("wal_recycle is on".to_owned()));
        assert!(!one.is_done());
        let text = one.text();
        assert!(
            text.starts_with("europe: 1 tables written anew, 100 bytes before and 40 after.\n"),
            "{text}"
        );
        assert!(
            text.contains("chat_message: left as it was: in use")
                && text.contains("ALTER SYSTEM SET wal_recycle")
        );
        let told = value(&[one]);
        assert_eq!(
            (&told["ok"], &told["cells"][0]["failed"][0]["table"]),
            (&json!(false), &json!("chat_message"))
        );
    }

    #[test]
    fn a_file_needs_none() {
        let file = Purged { geography: "us".to_owned(), tables: None, journal: Ok(()) };
        assert!(file.is_done() && file.text().contains("within 60 s"));
        assert_eq!(value(&[file])["ok"], json!(true));
    }
}
