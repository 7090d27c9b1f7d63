//! The command line: one file for each verb. It puts the rooms together and says what happened; it decides nothing of the
//! product.

mod acme;
mod captured;
mod carriers;
mod cells;
mod check;
mod dev;
mod doctor;
mod fault;
mod hooks;
mod machine;
mod mail;
mod mailout;
mod node;
mod opening;
mod operate;
mod sandbox;
mod serve;
mod signals;
mod stock;
mod store;
mod unsealing;
mod ways;
mod ways_out;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
pub use fault::CliError;

use crate::host::{Mode, Needs};
use crate::observe::log::{self, Detail, Format};

const EXAMPLES: &str = "Examples:\n  \
    chancery dev                                     a server to develop against, with nothing to configure\n  \
    chancery dev --data ./data                       the same, keeping its state\n  \
    chancery dev --resource a --resource b:europe    two resources in two geographies\n  \
    chancery serve --config chancery.toml            a server for others\n  \
    chancery config check --config chancery.toml     what is wrong with a configuration, and where\n  \
    chancery doctor --config chancery.toml           whether this machine can run it\n  \
    chancery sandbox probe                           whether anybody gets out of the server, from inside\n  \
    chancery outbox list --data ./data               what a development server captured instead of sending it\n  \
    chancery queue list --config chancery.toml       what waits to leave a running server";

/// A self-hosted server for the Azure Communication Services SDKs.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    /// How the log on standard error looks.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    log_format: Format,
    /// How much is logged. Content never is.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "DETAIL")]
    log: Detail,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve for development, with nothing to configure.
    Dev(dev::Dev),
    /// Serve what a configuration file says.
    Serve(serve::Serve),
    /// Look at a configuration file.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Find out whether this machine can run the server, and what to do when it cannot.
    Doctor(doctor::Doctor),
    /// What a development server captured instead of sending it.
    Outbox(operate::Outbox),
    /// What waits to be delivered.
    Queue(operate::Queue),
    /// The numbers that resources can have.
    Numbers(operate::Numbers),
    /// The domains that resources may send mail from.
    Domains(operate::Domains),
    /// Addresses that get no more mail.
    Suppressions(operate::Suppressions),
    /// Who is told of what happens.
    Events(operate::Events),
    /// Who holds the keys above what is stored, and new ones.
    Keys(operate::Keys),
    /// The keys that sign requests.
    AccessKeys(operate::AccessKeys),
    /// Signed receipts of what was deleted.
    Receipts(operate::Receipts),
    /// Secrets that a configuration names.
    #[command(name = "secret")]
    Secrets(unsealing::Secrets),
    /// The databases themselves.
    Store(store::Store),
    /// What the server gives up so that nobody gets out of it.
    #[command(subcommand)]
    Sandbox(sandbox::Sandbox),
    /// Print the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Say everything that is wrong with a configuration file, and where.
    Check(check::Check),
    /// Print the JSON schema of the configuration file, for editors.
    Schema,
}

/// The file that is meant when none is named.
fn default_config() -> PathBuf {
    PathBuf::from("chancery.toml")
}

/// Runs the program: reads the command line, does what it says, and tells how it ended.
#[must_use]
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(wrong) => {
            let _ = wrong.print();
            return ExitCode::from(if wrong.use_stderr() { 2 } else { 0 });
        }
    };
    log::start(cli.log_format, cli.log);
    match perform(cli.verb) {
        Ok(code) => code,
        Err(fault) => {
            let _ = writeln!(io::stderr(), "chancery: {fault}");
            ExitCode::FAILURE
        }
    }
}

fn perform(verb: Verb) -> Result<ExitCode, CliError> {
    match verb {
        Verb::Dev(verb) => verb.run(),
        Verb::Serve(verb) => verb.run(),
        Verb::Config(ConfigVerb::Check(verb)) => Ok(verb.run()),
        Verb::Config(ConfigVerb::Schema) => say(&crate::config::Config::schema()),
        Verb::Doctor(verb) => block_on(verb.run()),
        Verb::Outbox(verb) => block_on(verb.run()),
        Verb::Queue(verb) => block_on(verb.run()),
        Verb::Numbers(verb) => block_on(verb.run()),
        Verb::Domains(verb) => block_on(verb.run()),
        Verb::Suppressions(verb) => block_on(verb.run()),
        Verb::Events(verb) => block_on(verb.run()),
        Verb::Keys(verb) => block_on(verb.run()),
        Verb::AccessKeys(verb) => block_on(verb.run()),
        Verb::Receipts(verb) => block_on(verb.run()),
        Verb::Secrets(verb) => block_on(verb.run()),
        Verb::Store(verb) => block_on(verb.run()),
        Verb::Sandbox(verb) => verb.run(),
        Verb::Version => say(&format!("chancery {}\n", env!("CARGO_PKG_VERSION"))),
    }
}

/// Gives up what the server does not need, while there is one thread, and runs it.
fn serve_with(
    mode: Mode,
    needs: &Needs,
    server: impl Future<Output = Result<(), CliError>>,
) -> Result<ExitCode, CliError> {
    machine::prepare();
    sandbox::close(mode, needs)?;
    block_on(server)?;
    Ok(ExitCode::SUCCESS)
}

fn block_on<T>(work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    guard::tls::install_provider();
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(work)
}

/// Prints to standard output. A reader that has gone is no failure.
fn say(text: &str) -> Result<ExitCode, CliError> {
    say_bytes(text.as_bytes())
}

/// The same for what need not be text.
fn say_bytes(bytes: &[u8]) -> Result<ExitCode, CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(fault) if fault.kind() != io::ErrorKind::BrokenPipe => Err(CliError::Output(fault)),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_has_examples_for_every_verb_that_takes_options() {
        for verb in [
            &["chancery", "--help"][..],
            &["chancery", "dev", "--help"],
            &["chancery", "serve", "--help"],
            &["chancery", "doctor", "--help"],
            &["chancery", "config", "check", "--help"],
            &["chancery", "outbox", "--help"],
            &["chancery", "outbox", "rules", "--help"],
            &["chancery", "queue", "--help"],
            &["chancery", "numbers", "--help"],
            &["chancery", "domains", "--help"],
            &["chancery", "suppressions", "--help"],
            &["chancery", "events", "--help"],
            &["chancery", "keys", "--help"],
            &["chancery", "access-keys", "--help"],
            &["chancery", "store", "--help"],
            &["chancery", "sandbox", "probe", "--help"],
        ] {
            let help = Cli::try_parse_from(verb).unwrap_err();
            assert!(!help.use_stderr(), "{verb:?}");
            assert!(help.to_string().contains("Examples:"), "{verb:?}");
        }
        assert!(Cli::try_parse_from(["chancery"]).is_err());
        assert!(Cli::try_parse_from(["chancery", "dev", "--port", "70000"]).is_err());
    }
}
