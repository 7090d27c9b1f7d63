//! A connection to one carrier that is made again whenever it ends: connect, TLS, bind, then a [`Session`] until it is over.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Rng;
use bytes::BytesMut;
use post::smpp::frame::{self, Frame};
use post::smpp::pdu::{Credentials, Role, bind, status};
use rusmpp::{CommandId, Pdu};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::intake::Intake;
use super::session::Session;
use super::settings::CarrierSettings;
use crate::channel::{Dial, Stream};

/// The first pause before a connection is made again; each failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Why there is no session.
#[derive(Debug, thiserror::Error)]
enum NoBind {
    #[error("it cannot be reached: {0}")]
    Unreachable(std::io::Error),
    #[error("TLS failed: {0}")]
    Tls(std::io::Error),
    #[error("the connection ended before it was bound: {0}")]
    Ended(#[from] std::io::Error),
    #[error("it refused the bind with status {0:#010x}")]
    Refused(u32),
    #[error("its answer to the bind is no SMPP")]
    Garbage,
    #[error("it did not answer in time")]
    TimedOut,
    #[error("the system id, password or system type is too long for SMPP, or not ASCII")]
    Credentials,
}

/// One connection to a carrier.
pub(super) struct Link {
    role: Role,
    session: Mutex<Option<Arc<Session>>>,
}

impl Link {
    pub(super) const fn new(role: Role) -> Self {
        Self { role, session: Mutex::new(None) }
    }

    /// The session that texts can be sent over now.
    pub(super) fn sending(&self) -> Option<Arc<Session>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        session.filter(|session| self.role.sends() && session.is_open())
    }

    /// Whether it is bound.
    pub(super) fn is_bound(&self) -> bool {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.as_ref().is_some_and(|session| session.is_open())
    }

    fn set(&self, session: Option<Arc<Session>>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Holds the connection until `stop` is done.
    pub(super) async fn run<S: Future<Output = ()>>(
        &self,
        settings: &CarrierSettings,
        intake: &Arc<Intake>,
        dial: &dyn Dial,
        rng: &dyn Rng,
        stop: impl Fn() -> S,
    ) {
        let carrier = settings.name.as_str();
        let mut failures = 0;
        loop {
            let bound = tokio::select! {
                bound = self.bind(settings, dial) => bound,
                () = stop() => return,
            };
            match bound {
                Ok((stream, buffer)) => {
                    tracing::info!(carrier, role = ?self.role, "bound");
                    failures = 0;
                    let session = Arc::new(Session::new(settings.window, settings.answer));
                    self.set(Some(Arc::clone(&session)));
                    let ended = session.run(stream, buffer, intake, settings.enquire, stop()).await;
                    self.set(None);
                    match ended {
                        Ok(()) => return,
                        Err(why) => {
                            tracing::warn!(carrier, role = ?self.role, %why, "the connection is gone");
                        }
                    }
                }
                Err(why) => tracing::warn!(carrier, role = ?self.role, %why, failures, "no connection"),
            }
            tokio::select! {
                () = tokio::time::sleep(pause(failures, rng)) => {}
                () = stop() => return,
            }
            failures += 1;
        }
    }

    async fn bind(
        &self,
        settings: &CarrierSettings,
        dial: &dyn Dial,
    ) -> Result<(Box<dyn Stream>, BytesMut), NoBind> {
        let bound = async {
            let stream = dial.connect(&settings.host, settings.port).await.map_err(NoBind::Unreachable)?;
            let stream = match &settings.tls {
                None => stream,
                Some((config, name)) => {
                    let connector = TlsConnector::from(Arc::clone(config));
                    Box::new(connector.connect(name.clone(), stream).await.map_err(NoBind::Tls)?)
                        as Box<dyn Stream>
                }
            };
            self.greet(stream, settings).await
        };
        tokio::time::timeout(settings.answer * 2, bound).await.unwrap_or(Err(NoBind::TimedOut))
    }

    /// Binds; what came behind the answer is in the buffer.
    async fn greet(
        &self,
        mut stream: Box<dyn Stream>,
        settings: &CarrierSettings,
    ) -> Result<(Box<dyn Stream>, BytesMut), NoBind> {
        let credentials = Credentials {
            system_id: &settings.system_id,
            password: settings.password.expose(),
            system_type: &settings.system_type,
        };
        let mut buffer = BytesMut::new();
        frame::write(&mut buffer, status::OK, 1, bind(credentials, self.role).ok_or(NoBind::Credentials)?);
        stream.write_all(&buffer).await?;
        stream.flush().await?;
        buffer.clear();
        loop {
            while let Some(frame) = frame::next(&mut buffer).map_err(|_| NoBind::Garbage)? {
                let (id, answered) = match &frame {
                    Frame::Whole(command) => (u32::from(command.id()), u32::from(command.status())),
                    Frame::Broken { id, status, .. } => (*id, *status),
                };
                if id & 0x8000_0000 != 0 {
                    return if answered == status::OK {
                        Ok((stream, buffer))
                    } else {
                        Err(NoBind::Refused(answered))
                    };
                }
                // Some ask whether we are there before they answer.
                if let Frame::Whole(command) = &frame
                    && command.id() == CommandId::EnquireLink
                {
                    let mut answer = BytesMut::new();
                    frame::write(&mut answer, status::OK, command.sequence_number(), Pdu::EnquireLinkResp);
                    stream.write_all(&answer).await?;
                    stream.flush().await?;
                }
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(NoBind::Ended(std::io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }
}

/// Doubles with each failure; between half of it and all of it, so that links that ended together do not come together.
fn pause(failures: u32, rng: &dyn Rng) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << failures.min(10)).min(LONGEST_PAUSE);
    let millis = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / 2 + rng.below(millis / 2 + 1))
}

#[cfg(test)]
mod tests {
    use base::SeededRng;

    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_differ() {
        let rng = SeededRng::new(1);
        for (failures, longest) in
            [(0, 1_000), (1, 2_000), (3, 8_000), (6, 60_000), (10, 60_000), (u32::MAX, 60_000)]
        {
            for _ in 0..100 {
                let millis = pause(failures, &rng).as_millis();
                assert!((longest / 2..=longest).contains(&millis), "{failures}: {millis}");
            }
        }
        assert_ne!(pause(9, &rng), pause(9, &rng));
    }
}
