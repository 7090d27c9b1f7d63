//! A black-box client of the real server, outside the product: load, ceilings, reads, idle memory, and kills under load.
//! `docs/benchmarks.md` says what each figure means.

mod args;
mod ceiling;
mod chat;
mod crash;
mod error;
mod host;
mod idle;
mod live;
mod measure;
mod net;
mod outbound;
mod read;
mod report;
mod sandbox;
mod seal;
mod smsc;

use std::process::ExitCode;

use clap::Parser;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, Command};
use error::{Error, Result};

/// Something required was not reached, or something acknowledged was lost.
const FAILED: u8 = 1;
/// The run could not be done.
const BROKEN: u8 = 2;

fn main() -> ExitCode {
    let args = Args::parse();
    guard::tls::install_provider();
    match start(&args.command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            report::note(&format!("bench: {error}"));
            ExitCode::from(BROKEN)
        }
    }
}

fn start(command: &Command) -> Result<bool> {
    runtime(command)?.block_on(async {
        tokio::select! {
            result = dispatch(command) => result,
            // What the run has started ends when its future is dropped.
            result = told_to_end() => Err(result.err().unwrap_or_else(|| Error::Usage("interrupted".into()))),
        }
    })
}

/// Waits for SIGINT or SIGTERM.
async fn told_to_end() -> Result<()> {
    let listen = |kind| signal(kind).map_err(|e| Error::io("listen for signals", e));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// The client takes one thread, and so one processor at most: the server has the other. The bare endpoint is a server and
/// takes what there is.
fn runtime(command: &Command) -> Result<Runtime> {
    let built = match command {
        Command::CeilingHttp(_) => Builder::new_multi_thread().enable_all().build(),
        _ => Builder::new_current_thread().enable_all().build(),
    };
    built.map_err(|e| Error::io("start the runtime", e))
}

async fn dispatch(command: &Command) -> Result<bool> {
    match command {
        Command::Chat(args) => chat::run(args).await,
        Command::Read(args) => read::run(args).await,
        Command::Idle(args) => idle::run(args).await,
        Command::Live(args) => live::run(args).await,
        Command::Crash(args) => crash::run(args).await,
        Command::QueueCrash(args) => outbound::crash::run(args).await,
        Command::Email(args) => outbound::mail::run(args).await,
        Command::Sms(args) => outbound::text::run(args).await,
        Command::Sandbox(args) => sandbox::run(args).await,
        Command::Seal(args) => seal::run(args),
        Command::SmsCentre(args) => smsc::main(&args.ready_file, args.into()).map(|()| true),
        Command::CeilingHttp(args) => ceiling::http::main(&args.ready_file).await.map(|()| true),
        Command::CeilingLog(args) => {
            report::print_json(&ceiling::log::measure(args).await?)?;
            Ok(true)
        }
    }
}
