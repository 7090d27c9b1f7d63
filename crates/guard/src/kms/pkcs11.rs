//! A root key that does not leave its token: any HSM with a PKCS#11 module (OASIS PKCS #11 v2.40 and later). The token
//! encrypts and decrypts resource keys under an AES-256 key of its own (`CKM_AES_GCM`), bound to their context. One thread
//! talks to the token, because a module may block for as long as it likes; who asks waits without one.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use base::{Rng as _, Secret};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::mechanism::aead::GcmParams;
use cryptoki::object::{Attribute, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use thiserror::Error;
use zeroize::Zeroizing;

use super::reply::{self, Answer};
use super::{BoxFuture, KeyContext, Kms, KmsError, PURPOSE, bound, framed, from_framed};
use crate::random::SystemRng;
use crate::seal::{ScopeKey, Sealed};

/// The first byte of a key wrapped here, which no envelope has.
const FORMAT: u8 = 0xB1;
const NONCE: usize = 12;
const TAG: usize = 16;
const TAG_BITS: u64 = 128;
/// The most calls that wait for the token; past it, it counts as unavailable.
const MAX_WAITING: usize = 256;

/// Where a root key is in a token.
#[derive(Clone, Debug)]
pub struct Pkcs11Options {
    /// The module's file, such as `/usr/lib/softhsm/libsofthsm2.so`.
    pub module: PathBuf,
    /// The token's label (`CKA_LABEL` of the token).
    pub token: String,
    /// The label of its AES-256 key, which must encrypt and decrypt.
    pub key: String,
    /// The user's PIN.
    pub pin: Secret<String>,
}

/// Why a token cannot be used. It names no secret.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Pkcs11Fault {
    /// The module cannot be loaded or begun.
    #[error("the module {} cannot be loaded: {why}", module.display())]
    Module {
        /// Its file.
        module: PathBuf,
        /// What the loader or the module said.
        why: String,
    },
    /// No token has this label.
    #[error(
        "the module has no token with the label {0:?}; `pkcs11-tool --list-token-slots` shows those there are"
    )]
    NoToken(String),
    /// The PIN is wrong, locked or not set.
    #[error("the token does not take the PIN: {0}")]
    Pin(String),
    /// The token has no such key.
    #[error(
        "the token has no AES key with the label {0:?}; make one with `pkcs11-tool --login --keygen --key-type AES:32 --label {0}`"
    )]
    NoKey(String),
    /// Two keys have the label, and either might be meant.
    #[error("the token has several keys with the label {0:?}")]
    Ambiguous(String),
    /// The token failed.
    #[error("the token failed: {0}")]
    Token(String),
}

/// A key service whose root key is in a token.
#[derive(Debug)]
pub struct Pkcs11Kms {
    jobs: SyncSender<Job>,
}

/// One call, and where its answer goes.
struct Job {
    context: Vec<u8>,
    work: Work,
    answer: Answer<Result<Vec<u8>, KmsError>>,
}

enum Work {
    Encrypt(Zeroizing<Vec<u8>>),
    Decrypt(Vec<u8>),
}

impl Pkcs11Kms {
    /// Loads the module, logs in at the token and finds the key.
    ///
    /// # Errors
    /// [`Pkcs11Fault`].
    pub fn open(options: Pkcs11Options) -> Result<Self, Pkcs11Fault> {
        let failed =
            |why: &Error| Pkcs11Fault::Module { module: options.module.clone(), why: why.to_string() };
        let module = Pkcs11::new(&options.module).map_err(|fault| failed(&fault))?;
        match module.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another cell has begun it.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(fault) => return Err(failed(&fault)),
        }
        let link = Link::open(&module, &options)?;
        let (jobs, waiting) = sync_channel(MAX_WAITING);
        let started = thread::Builder::new().name("pkcs11".to_owned());
        let started = started.spawn(move || serve(&module, &options, link, &waiting));
        started
            .map_err(|fault| Pkcs11Fault::Token(format!("no thread could be started: {}", fault.kind())))?;
        Ok(Self { jobs })
    }

    async fn ask(&self, context: &KeyContext, work: Work) -> Result<Vec<u8>, KmsError> {
        let (answer, waiting) = reply::pair();
        let job = Job { context: bound(context), work, answer };
        match self.jobs.try_send(job) {
            Ok(()) => waiting.await.unwrap_or(Err(KmsError::Unavailable)),
            Err(TrySendError::Full(_)) => Err(KmsError::Throttled { retry_after: None }),
            Err(TrySendError::Disconnected(_)) => Err(KmsError::Unavailable),
        }
    }
}

impl Kms for Pkcs11Kms {
    fn name(&self) -> &'static str {
        "pkcs11"
    }

    fn wrap<'a>(
        &'a self,
        context: &'a KeyContext,
        key: &'a ScopeKey,
    ) -> BoxFuture<'a, Result<Sealed, KmsError>> {
        Box::pin(async move {
            let plain = framed(context, key)?;
            self.ask(context, Work::Encrypt(plain)).await.map(Sealed::from_stored)
        })
    }

    fn unwrap<'a>(
        &'a self,
        context: &'a KeyContext,
        wrapped: &'a Sealed,
    ) -> BoxFuture<'a, Result<ScopeKey, KmsError>> {
        Box::pin(async move {
            let bytes = wrapped.as_bytes().to_vec();
            let plain = Zeroizing::new(self.ask(context, Work::Decrypt(bytes)).await?);
            from_framed(context, &plain)
        })
    }
}

/// A session that is logged in, and the key.
struct Link {
    session: Session,
    key: ObjectHandle,
}

impl Link {
    fn open(module: &Pkcs11, options: &Pkcs11Options) -> Result<Self, Pkcs11Fault> {
        let failed = |fault: Error| Pkcs11Fault::Token(fault.to_string());
        let mut slots = module.get_slots_with_token().map_err(failed)?.into_iter();
        let named = |slot: &_| {
            module.get_token_info(*slot).is_ok_and(|info| info.label().trim_end() == options.token)
        };
        let slot = slots.find(named).ok_or_else(|| Pkcs11Fault::NoToken(options.token.clone()))?;
        let session = module.open_ro_session(slot).map_err(failed)?;
        let pin = AuthPin::from(options.pin.expose().as_str());
        match session.login(UserType::User, Some(&pin)) {
            // Sessions of one process share their login.
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
            Err(fault) => return Err(Pkcs11Fault::Pin(fault.to_string())),
        }
        let wanted = [
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Label(options.key.clone().into_bytes()),
        ];
        let mut found = session.find_objects(&wanted).map_err(failed)?.into_iter();
        match (found.next(), found.next()) {
            (Some(key), None) => Ok(Self { session, key }),
            (None, _) => Err(Pkcs11Fault::NoKey(options.key.clone())),
            (Some(_), Some(_)) => Err(Pkcs11Fault::Ambiguous(options.key.clone())),
        }
    }

    fn encrypt(&self, context: &[u8], plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE];
        SystemRng.fill(&mut nonce);
        let mut used = nonce;
        let gcm = GcmParams::new(&mut used, context, TAG_BITS.into())?;
        let sealed = self.session.encrypt(&Mechanism::AesGcm(gcm), self.key, plain)?;
        Ok([&[FORMAT], nonce.as_slice(), &sealed].concat())
    }

    fn decrypt(&self, context: &[u8], nonce: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Error> {
        let mut used = nonce.to_vec();
        let gcm = GcmParams::new(&mut used, context, TAG_BITS.into())?;
        self.session.decrypt(&Mechanism::AesGcm(gcm), self.key, sealed)
    }

    fn perform(&self, context: &[u8], work: &Work) -> Result<Vec<u8>, KmsError> {
        match work {
            Work::Encrypt(plain) => self.encrypt(context, plain).map_err(|_| KmsError::Unavailable),
            Work::Decrypt(bytes) => {
                let Some((nonce, sealed)) = split(bytes) else { return Err(KmsError::Refused) };
                // Modules say "general error" of a wrong tag and of a broken token alike: one that still encrypts is whole.
                self.decrypt(context, nonce, sealed).map_err(|_| match self.encrypt(context, PURPOSE) {
                    Ok(_) => KmsError::Refused,
                    Err(_) => KmsError::Unavailable,
                })
            }
        }
    }
}

/// Nonce, and ciphertext with its tag.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&FORMAT, rest) = bytes.split_first()? else { return None };
    let (nonce, sealed) = rest.split_at_checked(NONCE)?;
    (sealed.len() > TAG).then_some((nonce, sealed))
}

/// The one thread at the token. A session that broke is opened anew for the next call.
fn serve(module: &Pkcs11, options: &Pkcs11Options, first: Link, jobs: &Receiver<Job>) {
    let mut link = Some(first);
    while let Ok(Job { context, work, answer }) = jobs.recv() {
        if link.is_none() {
            link = Link::open(module, options).ok();
        }
        let done = link.as_ref().map_or(Err(KmsError::Unavailable), |link| link.perform(&context, &work));
        if done == Err(KmsError::Unavailable) {
            link = None;
        }
        answer.give(done);
    }
}

#[cfg(test)]
#[path = "pkcs11_tests.rs"]
mod tests;
