//! The run `seal`: sealing and opening records as the store does, on one core, beside OpenSSL's AES-256-GCM over as many bytes
//! in the same run. What the rest of the envelope costs (a nonce of its own, a key of its own, the place it is bound to) is in
//! our figure and not in OpenSSL's.

use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use base::{Geography, ResourceId};
use guard::{Place, ScopeKey, SystemRng};
use serde::Serialize;

use crate::args::SealArgs;
use crate::error::{Error, Result};
use crate::measure::stats::ratio;
use crate::measure::{Stopwatch, median};
use crate::report::{self, Check, Table, number};

/// The least share of OpenSSL's rate, in hundredths.
const SHARE: f64 = 60.0;
/// Records done between two looks at the clock.
const BATCH: usize = 1_000;

/// The result of the run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    bytes: usize,
    /// Records a second.
    sealed: f64,
    opened: f64,
    openssl_encrypted: f64,
    openssl_decrypted: f64,
    checks: Vec<Check>,
}

/// Runs it.
///
/// # Errors
/// When there is no `openssl`, or it says something unknown.
pub(crate) fn run(args: &SealArgs) -> Result<bool> {
    let (mut sealed, mut opened, mut encrypted, mut decrypted) = (vec![], vec![], vec![], vec![]);
    let time = Duration::from_secs(args.seconds);
    for round in 1..=args.rounds {
        report::note(&format!("round {round} of {}", args.rounds));
        let (seal, open) = ours(args.bytes, time)?;
        sealed.push(seal);
        opened.push(open);
        encrypted.push(openssl(args, false)?);
        decrypted.push(openssl(args, true)?);
    }
    let all = [sealed, opened, encrypted, decrypted].map(|figures| median(figures).unwrap_or_default());
    let share = |ours: f64, theirs: f64| 100.0 * ratio(ours, theirs);
    let checks = vec![
        Check::at_least("sealing, % of openssl", share(all[0], all[2]), SHARE, 80.0),
        Check::at_least("opening, % of openssl", share(all[1], all[3]), SHARE, 80.0),
    ];
    let [sealed, opened, openssl_encrypted, openssl_decrypted] = all;
    let passed = report::passed(&checks);
    let report = Report { bytes: args.bytes, sealed, opened, openssl_encrypted, openssl_decrypted, checks };
    if args.json {
        report::print_json(&report)?;
    } else {
        report::print(&text(&report));
    }
    Ok(passed)
}

fn text(report: &Report) -> String {
    let mut table =
        Table::new([format!("{} bytes", report.bytes), "records/s".into(), "µs".into(), "MB/s".into()]);
    let bytes = f64::from(u32::try_from(report.bytes).unwrap_or(u32::MAX));
    for (name, rate) in [
        ("sealed", report.sealed),
        ("openssl encrypts", report.openssl_encrypted),
        ("opened", report.opened),
        ("openssl decrypts", report.openssl_decrypted),
    ] {
        table.row([name.to_owned(), number(rate), number(1e6 / rate), number(rate * bytes / 1e6)]);
    }
    format!("{}\n{}", table.render(), report::checks(&report.checks))
}

/// Records sealed and opened a second, on this thread.
fn ours(bytes: usize, time: Duration) -> Result<(f64, f64)> {
    let failed = |_| Error::Answer { doing: "seal a record", missing: "a sealed record" };
    let geography: Geography = "europe".parse().map_err(|_| Error::Usage("no geography".into()))?;
    let (rng, resource) = (SystemRng, ResourceId::mint(&SystemRng));
    let key = ScopeKey::generate(&rng, 1);
    let (row, scope) = ([7; 24], [9; 34]);
    let place = Place { geography: &geography, resource, keyspace: "chat_message", key: &row, scope: &scope };
    let plain = vec![0x5A; bytes];
    let sealing = rate(time, || key.seal(&rng, &place, &[], &plain).map(drop).map_err(failed))?;
    let record = key.seal(&rng, &place, &[], &plain).map_err(failed)?;
    let opening = rate(time, || {
        let opened = key.open(&place, black_box(&record));
        opened
            .map(|plain| drop(black_box(plain)))
            .map_err(|_| Error::Answer { doing: "open a record", missing: "what was sealed" })
    })?;
    Ok((sealing, opening))
}

fn rate(time: Duration, mut once: impl FnMut() -> Result<()>) -> Result<f64> {
    let watch = Stopwatch::start();
    let mut count = 0_u32;
    while watch.elapsed() < time {
        for _ in 0..BATCH {
            once()?;
        }
        count += 1_000;
    }
    Ok(f64::from(count) / watch.seconds())
}

/// Records a second that OpenSSL does, by its own measurement.
fn openssl(args: &SealArgs, decrypt: bool) -> Result<f64> {
    let (seconds, bytes) = (args.seconds.to_string(), args.bytes.to_string());
    let mut command = Command::new("openssl");
    command.args(["speed", "-mr", "-elapsed", "-seconds", &seconds, "-bytes", &bytes]);
    command.args(decrypt.then_some("-decrypt")).args(["-evp", "aes-256-gcm"]);
    let said = command.output().map_err(|fault| Error::io("run openssl (apt install openssl)", fault))?;
    let per_second = bytes_per_second(&String::from_utf8_lossy(&said.stdout))
        .ok_or(Error::Answer { doing: "read what openssl measured", missing: "its figure" })?;
    Ok(per_second / f64::from(u32::try_from(args.bytes).unwrap_or(u32::MAX)))
}

/// The figure of a line `+F:<number>:<cipher>:<bytes a second>`.
fn bytes_per_second(said: &str) -> Option<f64> {
    let line = said.lines().find(|line| line.starts_with("+F:"))?;
    line.rsplit(':').next()?.trim().parse().ok().filter(|figure: &f64| *figure > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figure_of_openssl_is_read() {
        let said =
            "+DT:AES-256-GCM:1:1024\n+R:2000000:AES-256-GCM:1.000000\n+F:22:AES-256-GCM:2048000000.00\n";
        assert_eq!(bytes_per_second(said), Some(2_048_000_000.0));
        for bad in ["", "+F:22:AES-256-GCM:", "+F:22:AES-256-GCM:none", "+F:22:AES-256-GCM:0", "R:1"] {
            assert_eq!(bytes_per_second(bad), None, "{bad}");
        }
    }

    #[test]
    fn records_are_sealed_and_opened() {
        let (sealed, opened) = ours(64, Duration::from_millis(1)).unwrap();
        assert!(sealed > 0.0 && opened > 0.0);
    }
}
