//! The command line.

use std::path::PathBuf;

use clap::{Args as Group, Parser, Subcommand};

/// A black-box client of the real server: it starts `chancery`, loads it over TLS, and prints what it measured beside
/// what it measured of the machine itself.
#[derive(Debug, Parser)]
#[command(name = "bench", disable_version_flag = true)]
pub(crate) struct Args {
    /// What to run.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sending messages: rate, latency, CPU, memory, disk; two ceilings in the same run; every message counted after.
    Chat(ChatArgs),
    /// Reading pages of 200 messages from a short and from a long thread.
    Read(ReadArgs),
    /// Memory of the idle server, and with many idle TLS connections.
    Idle(IdleArgs),
    /// Listening: what it costs that everyone in a thread hears at once, how soon they do, and many who hear nothing.
    Live(LiveArgs),
    /// Kills the server under load again and again, and checks that nothing acknowledged is lost.
    Crash(CrashArgs),
    /// Mails relayed to Postfix's sink, signed and sealed, beside Postfix with and without OpenDKIM.
    Email(EmailArgs),
    /// Texts handed to an SMS centre over SMPP, with their receipts, beside Kannel.
    Sms(SmsArgs),
    /// Kills the server while thousands of mails or texts go out: each must end in one final status, and reach the peer.
    QueueCrash(QueueCrashArgs),
    /// What the closed host costs: a closed and an open server under the same load, in turns.
    Sandbox(SandboxArgs),
    /// Sealing and opening records on one core, beside OpenSSL's AES-256-GCM.
    Seal(SealArgs),
    /// An SMS centre alone, which takes texts as fast as they come. Serves until its input ends, then says what it counted.
    SmsCentre(SmsCentreArgs),
    /// The first ceiling alone: a bare TLS endpoint that parses and echoes JSON. Serves until its input ends.
    CeilingHttp(CeilingHttpArgs),
    /// The second ceiling alone: append and fdatasync with group commit.
    CeilingLog(CeilingLogArgs),
}

/// Options of every run that starts a server.
#[derive(Clone, Debug, Group)]
pub(crate) struct Common {
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// The server to start [default: `chancery` beside this program, built when it is not there].
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
    /// Where data folders are made, and removed again. Its disk is the one measured.
    #[arg(long, value_name = "FOLDER", default_value = "/var/tmp")]
    pub(crate) dir: PathBuf,
    /// An argument passed on to the server; may be repeated.
    #[arg(long = "server-arg", value_name = "ARG", allow_hyphen_values = true)]
    pub(crate) server_args: Vec<String>,
    /// Beginning of the random sequence [default: from the clock; printed].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Use PostgreSQL: `auto` starts one of its own; otherwise `host=... port=... user=...` of a user who may create databases.
    #[arg(long, value_name = "auto|CONNINFO")]
    pub(crate) postgres: Option<String>,
}

/// Options of `chat`.
#[derive(Clone, Debug, Group)]
pub(crate) struct ChatArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many senders at once; one measurement each.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "64,256,1024")]
    pub(crate) senders: Vec<usize>,
    /// Chat threads they write to, with two participants each.
    #[arg(long, value_name = "NUMBER", default_value_t = 256)]
    pub(crate) threads: usize,
    /// Messages for each number of senders, over all rounds.
    #[arg(long, value_name = "NUMBER", default_value_t = 60_000)]
    pub(crate) messages: u64,
    /// Rounds, alternating with the ceilings; medians are printed.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) rounds: usize,
    /// The longest a round may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub(crate) seconds: u64,
}

/// Options of `sandbox`.
#[derive(Clone, Debug, Group)]
pub(crate) struct SandboxArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How many senders at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    pub(crate) senders: usize,
    /// Chat threads they write to, with two participants each.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    pub(crate) threads: usize,
    /// Messages of one round to one server.
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    pub(crate) messages: u64,
    /// Rounds to each server, in turns.
    #[arg(long, value_name = "NUMBER", default_value_t = 12)]
    pub(crate) rounds: usize,
}

/// Options of `seal`.
#[derive(Clone, Debug, Group)]
pub(crate) struct SealArgs {
    /// Print the figures as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Bytes of a record.
    #[arg(long, value_name = "NUMBER", default_value_t = 1024)]
    pub(crate) bytes: usize,
    /// Seconds of each measurement.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    pub(crate) seconds: u64,
    /// Rounds, alternating with OpenSSL; medians are printed.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) rounds: usize,
}

/// Options of `read`.
#[derive(Clone, Debug, Group)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Messages of the long thread.
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000)]
    pub(crate) messages: u64,
    /// Pages read of each kind.
    #[arg(long, value_name = "NUMBER", default_value_t = 300)]
    pub(crate) pages: usize,
}

/// Options of `idle`.
#[derive(Clone, Debug, Group)]
pub(crate) struct IdleArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Connections to hold.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) connections: usize,
    /// How long to hold them before measuring, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub(crate) hold: u64,
}

/// Options of `live`.
#[derive(Clone, Debug, Group)]
pub(crate) struct LiveArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Who is in the thread and listens.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) listeners: usize,
    /// Connections that send at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) senders: usize,
    /// Messages of each round.
    #[arg(long, value_name = "NUMBER", default_value_t = 20_000)]
    pub(crate) messages: usize,
    /// Listeners to whom nothing happens; 0 leaves them out.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) idle: usize,
    /// How long those are watched, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 45)]
    pub(crate) hold: u64,
}

/// Options of `crash`.
#[derive(Clone, Debug, Group)]
pub(crate) struct CrashArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// How often to kill.
    #[arg(long, value_name = "NUMBER", default_value_t = 500)]
    pub(crate) rounds: usize,
}

/// Options of `email`.
#[derive(Clone, Debug, Group)]
pub(crate) struct EmailArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Clients at once, and sessions to the sink.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) sessions: usize,
    /// Mails in each round.
    #[arg(long, value_name = "NUMBER", default_value_t = 5_000)]
    pub(crate) mails: u64,
    /// The text of a mail, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 4_096)]
    pub(crate) bytes: usize,
    /// Rounds, alternating with the peers; medians are printed.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) rounds: usize,
}

/// Options of `sms`.
#[derive(Clone, Debug, Group)]
pub(crate) struct SmsArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Clients at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) clients: usize,
    /// Submissions that may be unanswered on the bind.
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    pub(crate) window: usize,
    /// Texts in each round.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) texts: u64,
    /// Rounds, alternating with Kannel; medians are printed.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    pub(crate) rounds: usize,
}

/// Options of `queue-crash`.
#[derive(Clone, Debug, Group)]
pub(crate) struct QueueCrashArgs {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Messages to be accepted.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000)]
    pub(crate) messages: usize,
    /// How often to kill.
    #[arg(long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) kills: usize,
    /// Texts to an SMS centre, in place of mails.
    #[arg(long)]
    pub(crate) texts: bool,
    /// Mails under way at once, as the server is configured (`mail_sessions`).
    #[arg(long, value_name = "NUMBER", default_value_t = 16)]
    pub(crate) sessions: usize,
    /// Texts under way at once, as the server is configured (`texts_at_once`).
    #[arg(long, value_name = "NUMBER", default_value_t = 256)]
    pub(crate) at_once: usize,
}

/// Options of `sms-centre`.
#[derive(Clone, Debug, Group)]
pub(crate) struct SmsCentreArgs {
    /// Written when it serves: its port.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: PathBuf,
    /// Answer every so many submissions with ESME_RTHROTTLED.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) throttle_every: u64,
    /// Hang up after every so many submissions, the last one unanswered.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) drop_every: u64,
    /// Bring no receipts.
    #[arg(long)]
    pub(crate) no_receipts: bool,
}

impl From<&SmsCentreArgs> for crate::smsc::Behaviour {
    fn from(args: &SmsCentreArgs) -> Self {
        Self {
            receipts: !args.no_receipts,
            throttle_every: args.throttle_every,
            drop_every: args.drop_every,
            remember: true,
        }
    }
}

/// Options of `ceiling-http`.
#[derive(Clone, Debug, Group)]
pub(crate) struct CeilingHttpArgs {
    /// Written when it serves: its address and the certificate authority to trust.
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: PathBuf,
}

/// Options of `ceiling-log`.
#[derive(Clone, Debug, Group)]
pub(crate) struct CeilingLogArgs {
    /// Producers at once, each waiting until its record is durable.
    #[arg(long, value_name = "NUMBER", default_value_t = 64)]
    pub(crate) producers: usize,
    /// Records in all.
    #[arg(long, value_name = "NUMBER", default_value_t = 200_000)]
    pub(crate) records: u64,
    /// The longest it may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) seconds: u64,
    /// Where its file is made, and removed again.
    #[arg(long, value_name = "FOLDER", default_value = "/var/tmp")]
    pub(crate) dir: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Args::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_documentation() {
        let Command::Chat(chat) = Args::parse_from(["bench", "chat"]).command else { panic!("chat") };
        assert_eq!(
            (chat.senders.as_slice(), chat.threads, chat.messages),
            ([64, 256, 1024].as_slice(), 256, 60_000)
        );
        assert_eq!((chat.rounds, chat.common.json, chat.common.postgres), (3, false, None));
        let Command::Crash(crash) =
            Args::parse_from(["bench", "crash", "--rounds", "20", "--seed", "7"]).command
        else {
            panic!("crash")
        };
        assert_eq!((crash.rounds, crash.common.seed), (20, Some(7)));
    }

    #[test]
    fn arguments_for_the_server_are_passed_as_they_are() {
        let args = Args::parse_from(["bench", "idle", "--server-arg", "--x", "--server-arg", "1", "--json"]);
        let Command::Idle(idle) = args.command else { panic!("idle") };
        assert_eq!(idle.common.server_args, ["--x", "1"]);
        assert!(idle.common.json);
    }
}
