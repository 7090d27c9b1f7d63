//! `chancery config check`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::config::{Config, Problems};

const EXAMPLES: &str = "Examples:\n  \
    chancery config check\n  \
    chancery config check --config /etc/chancery/chancery.toml --json";

/// Say everything that is wrong with a configuration file, and where. Ends with 1 when something is.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value_os_t = super::default_config())]
    config: PathBuf,
    /// Answer in JSON: {"ok": .., "problems": [{"file", "line", "column", "key", "what", "fix"}]}.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(&self) -> ExitCode {
        let found = Config::load(&self.config);
        let text = self.report(&found);
        let _ = io::stdout().lock().write_all(text.as_bytes());
        if found.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn report(&self, found: &Result<Config, Problems>) -> String {
        let none = Problems(Vec::new());
        let problems = found.as_ref().err().unwrap_or(&none);
        if self.json {
            let body = serde_json::json!({ "ok": found.is_ok(), "problems": problems });
            return format!("{body:#}\n");
        }
        match found {
            Ok(config) => format!(
                "{}: good. {} at {}, {}.\n",
                self.config.display(),
                counted(config.cells.len(), "cell"),
                config.listener.address,
                counted(config.resources.len(), "resource"),
            ),
            Err(problems) => format!("{problems}\n\n{}.\n", counted(problems.0.len(), "problem")),
        }
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(json: bool, text: &str) -> String {
        let check = Check { config: "c.toml".into(), json };
        check.report(&Config::parse("c.toml", text))
    }

    const GOOD: &str = "[listener]\naddress = '127.0.0.1:8443'\nself_signed = true\ndata = '/d'\n\
        [[cell]]\ngeography = 'europe'\nengine = { kind = 'sqlite', path = '/d/s' }\nkms = { kind = 'local', path = '/d/k' }\n\
        [[resource]]\nname = 'a'\ngeography = 'europe'\n";

    #[test]
    fn says_good_or_all_that_is_not() {
        assert_eq!(report(false, GOOD), "c.toml: good. 1 cell at 127.0.0.1:8443, 1 resource.\n");
        let bad = report(false, &GOOD.replace("'sqlite'", "'x'").replace("'a'", "'-'"));
        assert!(
            bad.contains("c.toml:7:") && bad.contains("c.toml:10:") && bad.ends_with("\n\n2 problems.\n"),
            "{bad}"
        );
    }

    #[test]
    fn answers_in_json() {
        let good: serde_json::Value = serde_json::from_str(&report(true, GOOD)).unwrap();
        assert_eq!(good, serde_json::json!({ "ok": true, "problems": [] }));
        let bad: serde_json::Value =
            serde_json::from_str(&report(true, &GOOD.replace("'x'", "'y'").replace("'/d/k'", "7"))).unwrap();
        assert_eq!((&bad["ok"], &bad["problems"][0]["key"]), (&false.into(), &"cell[0].kms.path".into()));
    }
}
