//! Keeps the certificate that an authority issues: takes it up when another node got it, and asks for the next one in time.

use std::sync::Arc;
use std::time::Duration;

use base::{Personal, Timestamp};
use guard::BoxFuture;
use guard::tls::CertificateStore;
use store::{Cell, StoreError};

use crate::channel::acme::{AcmeFault, Board, Issued, Issuer};
use crate::service::acme::{self, CertificateRow};

/// How often it is looked whether another node got a certificate, or one is due.
pub const LOOK: Duration = Duration::from_secs(5);

/// A certificate to keep.
pub struct Keeper {
    /// Where it is kept, for all nodes.
    pub cell: Cell,
    /// Who issues it.
    pub issuer: Arc<dyn Issuer>,
    /// The directory of who issues it.
    pub directory: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// Where it is shown.
    pub shown: Arc<CertificateStore>,
    /// An id that this process drew.
    pub node: [u8; 16],
}

/// The certificate that is shown, as far as it must be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    version: u64,
    /// When the next one is asked for.
    due: Timestamp,
}

impl Keeper {
    /// Keeps it until `stop` is done.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let work = async {
            let mut seen = None;
            loop {
                if let Err(fault) = self.look(&mut seen).await {
                    tracing::warn!(%fault, "the certificate cannot be looked after now");
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::select! {
            () = stop => {}
            () = work => {}
        }
    }

    /// Takes up what is new since it was `seen`, and asks for what is due.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn look(&self, seen: &mut Option<Seen>) -> Result<(), StoreError> {
        if acme::version(&self.cell).await? != seen.map(|seen| seen.version) {
            *seen = self.take_up().await?;
        }
        let is_due = seen.is_none_or(|seen| seen.due <= self.cell.clock().now());
        if is_due && acme::take(&self.cell, self.node).await? && self.ask().await? {
            *seen = self.take_up().await?;
        }
        Ok(())
    }

    /// Shows the certificate there is. One that cannot be shown is passed over, and due.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn take_up(&self) -> Result<Option<Seen>, StoreError> {
        let Some(found) = acme::certificate(&self.cell).await? else { return Ok(None) };
        let CertificateRow { names, issued_on, chain, key } = &found.value;
        let due = match self.shown.replace(chain.as_bytes(), key.expose().as_bytes()) {
            Err(fault) => {
                tracing::error!(%fault, "the certificate that is kept cannot be used");
                Timestamp::EPOCH
            }
            Ok(()) => {
                let until = self.shown.expires_at();
                tracing::info!(until = until.to_iso(), "a new certificate is in use");
                // For a name that it lacks it is due now. One more than are wanted does no harm: a node may know less.
                let is_whole = self.names.iter().all(|name| names.contains(name));
                if is_whole { renew_on(*issued_on, until) } else { Timestamp::EPOCH }
            }
        };
        Ok(Some(Seen { version: found.version, due }))
    }

    /// Whether a certificate was issued, which is then kept.
    async fn ask(&self) -> Result<bool, StoreError> {
        tracing::info!(names = self.names.len(), directory = self.directory, "asking for a certificate");
        let issued = self.issuer.issue(&self.names, self).await;
        let is_issued = issued.is_ok();
        let fault = match issued {
            Ok(Issued { chain, key }) => {
                let (names, issued_on) = (self.names.clone(), self.cell.clock().now());
                acme::keep(&self.cell, &CertificateRow { names, issued_on, chain, key }).await?;
                None
            }
            Err(fault) => Some(fault),
        };
        let pause = acme::let_go(&self.cell, self.node).await?;
        if let Some(fault) = fault {
            tracing::error!(%fault, again_in = pause.as_secs(), "no certificate was issued");
        }
        Ok(is_issued)
    }
}

/// With two thirds of its life gone, as the authorities recommend.
fn renew_on(issued_on: Timestamp, expires_at: Timestamp) -> Timestamp {
    issued_on.plus(expires_at.distance(issued_on) / 3 * 2)
}

fn unkept(fault: &StoreError) -> AcmeFault {
    AcmeFault::Board(fault.to_string())
}

impl Board for Keeper {
    fn account(&self) -> BoxFuture<'_, Result<Option<Personal<String>>, AcmeFault>> {
        Box::pin(async { acme::account(&self.cell, &self.directory).await.map_err(|fault| unkept(&fault)) })
    }

    fn keep_account<'a>(&'a self, it: &'a Personal<String>) -> BoxFuture<'a, Result<(), AcmeFault>> {
        Box::pin(async {
            acme::keep_account(&self.cell, &self.directory, it).await.map_err(|fault| unkept(&fault))
        })
    }

    fn post<'a>(
        &'a self,
        token: &'a str,
        answer: Option<&'a Personal<String>>,
    ) -> BoxFuture<'a, Result<(), AcmeFault>> {
        Box::pin(async move { acme::post(&self.cell, token, answer).await.map_err(|fault| unkept(&fault)) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use base::Clock as _;
    use guard::tls::Authority;

    use super::*;
    use crate::testing::{START, TestApp};

    /// Issues what it is asked for, or fails.
    #[derive(Default)]
    struct Fake {
        asked: Mutex<Vec<Vec<String>>>,
        fails: Mutex<bool>,
        now: Mutex<Option<Timestamp>>,
    }

    impl Issuer for Fake {
        fn issue<'a>(
            &'a self,
            names: &'a [String],
            board: &'a dyn Board,
        ) -> BoxFuture<'a, Result<Issued, AcmeFault>> {
            Box::pin(async move {
                self.asked.lock().unwrap().push(names.to_vec());
                if *self.fails.lock().unwrap() {
                    return Err(AcmeFault::Authority("no".to_owned()));
                }
                board.post("token", Some(&Personal::new("answer".to_owned()))).await?;
                let now = self.now.lock().unwrap().unwrap_or(START);
                let authority = Authority::generate("A test", now).unwrap();
                let pair = authority.issue(names, &[], now).unwrap();
                Ok(Issued { chain: pair.chain_pem, key: Personal::new(pair.key_pem.expose().clone()) })
            })
        }
    }

    fn keeper(test: &TestApp, issuer: &Arc<Fake>, node: u8, name: &str) -> Keeper {
        guard::tls::install_provider();
        let placeholder = Authority::generate("Before", START).unwrap();
        let pair = placeholder.issue(&["localhost".to_owned()], &[], START).unwrap();
        let shown = CertificateStore::new(pair.chain_pem.as_bytes(), pair.key_pem.expose().as_bytes());
        Keeper {
            cell: test.resource().cell().clone(),
            issuer: Arc::clone(issuer) as _,
            directory: "https://ca.example/directory".to_owned(),
            names: vec![name.to_owned()],
            shown: Arc::new(shown.unwrap()),
            node: [node; 16],
        }
    }

    #[tokio::test]
    async fn one_node_asks_and_all_show_it_until_two_thirds_of_its_life_are_over() {
        let test = TestApp::new().await;
        let issuer = Arc::new(Fake::default());
        let (one, other) = (keeper(&test, &issuer, 1, "a.example"), keeper(&test, &issuer, 2, "a.example"));
        let (mut seen, mut there) = (None, None);
        let asked = || issuer.asked.lock().unwrap().len();
        test.clock.advance(Duration::from_secs(60));
        *issuer.now.lock().unwrap() = Some(test.clock.now());
        one.look(&mut seen).await.unwrap();
        other.look(&mut there).await.unwrap();
        assert_eq!((asked(), seen), (1, there));
        let first = one.shown.expires_at();
        assert!(first > START.plus(Duration::from_secs(390 * 86_400)) && first == other.shown.expires_at());
        assert!(acme::answer(&one.cell, "token").await.unwrap().is_some(), "for whoever is asked");

        let due = renew_on(test.clock.now(), first);
        test.clock.set(due.minus(Duration::from_secs(1)));
        one.look(&mut seen).await.unwrap();
        assert_eq!(asked(), 1);
        test.clock.set(due);
        *issuer.now.lock().unwrap() = Some(due);
        other.look(&mut there).await.unwrap();
        one.look(&mut seen).await.unwrap();
        assert_eq!(asked(), 2);
        assert!(one.shown.expires_at() > first && one.shown.expires_at() == other.shown.expires_at());
    }

    #[tokio::test]
    async fn a_failure_keeps_what_there_is_and_waits() {
        let test = TestApp::new().await;
        let issuer = Arc::new(Fake::default());
        let one = keeper(&test, &issuer, 1, "a.example");
        let mut seen = None;
        one.look(&mut seen).await.unwrap();
        let first = one.shown.expires_at();
        *issuer.fails.lock().unwrap() = true;
        let other = keeper(&test, &issuer, 2, "b.example");
        let asked = || issuer.asked.lock().unwrap().len();
        let mut there = None;
        other.look(&mut there).await.unwrap();
        assert_eq!(
            (asked(), other.shown.expires_at()),
            (1, first),
            "another name, but an order is too fresh"
        );
        test.clock.advance(acme::FIRST_PAUSE);
        other.look(&mut there).await.unwrap();
        assert_eq!((asked(), other.shown.expires_at()), (2, first), "and the former is shown");
        other.look(&mut there).await.unwrap();
        assert_eq!(asked(), 2, "not again at once");
        test.clock.advance(acme::FIRST_PAUSE * 2);
        *issuer.fails.lock().unwrap() = false;
        other.look(&mut there).await.unwrap();
        assert_eq!(issuer.asked.lock().unwrap().last().unwrap(), &["b.example"]);

        // Two nodes that were told different names ask in turns, ever more seldom.
        let before = asked();
        for _ in 0..24 * 60 {
            test.clock.advance(Duration::from_secs(60));
            *issuer.now.lock().unwrap() = Some(test.clock.now());
            one.look(&mut seen).await.unwrap();
            other.look(&mut there).await.unwrap();
        }
        assert!(asked() - before <= 12, "{} orders in a day", asked() - before);
    }
}
