//! Certificates from an authority that issues them by itself: ACME (RFC 8555) with `instant-acme`, over our own requests.
//! Names are proven by HTTP-01 (section 8.3): whoever is asked for them at port 80 answers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ::http::{Request, Response};
use base::Personal;
use bytes::Bytes;
use guard::BoxFuture;
use http_body_util::{BodyExt as _, Full};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeType, Error, HttpClient, Identifier,
    NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use thiserror::Error;

use super::webhook::{HookChannel, HookRequest};

/// How long an authority may take to look at all answers, and to issue.
pub const PATIENCE: Duration = Duration::from_secs(120);

const NO_ACCOUNT: &str = "urn:ietf:params:acme:error:accountDoesNotExist";

/// A certificate that was issued.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The chain, the leaf first (PEM).
    pub chain: String,
    /// The key (PEM).
    pub key: Personal<String>,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum AcmeFault {
    /// The authority cannot be reached, or refused. The text names no secret.
    #[error("the authority: {0}")]
    Authority(String),
    /// It did not believe the answer for a name.
    #[error("the authority did not find the answer at http://{name}/: {why}")]
    NotProven {
        /// Which name.
        name: String,
        /// What it said.
        why: String,
    },
    /// What must be kept for it cannot be.
    #[error("what an order needs cannot be kept: {0}")]
    Board(String),
}

/// Where an order leaves what it needs. Answers must be there for whoever asks before [`Board::post`] returns.
pub trait Board: Send + Sync {
    /// The credentials of the account, when there is one.
    fn account(&self) -> BoxFuture<'_, Result<Option<Personal<String>>, AcmeFault>>;
    /// Keeps them.
    fn keep_account<'a>(&'a self, it: &'a Personal<String>) -> BoxFuture<'a, Result<(), AcmeFault>>;
    /// Answers a challenge from now on; without an answer, no longer.
    fn post<'a>(
        &'a self,
        token: &'a str,
        answer: Option<&'a Personal<String>>,
    ) -> BoxFuture<'a, Result<(), AcmeFault>>;
}

/// Issues certificates.
pub trait Issuer: Send + Sync + 'static {
    /// A certificate for `names`.
    fn issue<'a>(
        &'a self,
        names: &'a [String],
        board: &'a dyn Board,
    ) -> BoxFuture<'a, Result<Issued, AcmeFault>>;
}

/// An authority and who asks it.
pub struct Acme {
    directory: String,
    contact: Vec<String>,
    hooks: Arc<dyn HookChannel>,
}

impl Acme {
    /// The authority whose directory is at that address. `contact`: `mailto:` addresses. Whoever makes one agrees to its
    /// terms.
    #[must_use]
    pub fn new(directory: String, contact: Vec<String>, hooks: Arc<dyn HookChannel>) -> Self {
        Self { directory, contact, hooks }
    }

    async fn account(&self, board: &dyn Board) -> Result<Account, AcmeFault> {
        let builder = Account::builder_with_http(Box::new(Requests(Arc::clone(&self.hooks))));
        if let Some(kept) = board.account().await? {
            let kept = serde_json::from_str(kept.expose());
            let kept = kept.map_err(|_| AcmeFault::Board("the account that was kept is none".to_owned()))?;
            return builder.from_credentials(kept).await.map_err(|fault| said(&fault));
        }
        self.new_account(board).await
    }

    async fn new_account(&self, board: &dyn Board) -> Result<Account, AcmeFault> {
        let builder = Account::builder_with_http(Box::new(Requests(Arc::clone(&self.hooks))));
        let contact: Vec<&str> = self.contact.iter().map(String::as_str).collect();
        let new =
            NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let (account, credentials) =
            builder.create(&new, self.directory.clone(), None).await.map_err(|fault| said(&fault))?;
        let text = serde_json::to_string(&credentials);
        let text = text.map_err(|_| AcmeFault::Board("the account cannot be written".to_owned()))?;
        board.keep_account(&Personal::new(text)).await?;
        Ok(account)
    }

    async fn order(&self, names: &[String], board: &dyn Board) -> Result<Issued, AcmeFault> {
        let account = self.account(board).await?;
        let names: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
        let mut order = account.new_order(&NewOrder::new(&names)).await;
        if order.as_ref().is_err_and(is_of_no_account) {
            // The authority has forgotten it: one that begins anew, or was told to.
            let account = self.new_account(board).await?;
            order = account.new_order(&NewOrder::new(&names)).await;
        }
        let mut order = order.map_err(|fault| said(&fault))?;
        let mut posted = Vec::new();
        let done = prove(&mut order, board, &mut posted).await;
        for token in &posted {
            // An answer that is left lets nobody in; the next order has another token.
            let _ = board.post(token, None).await;
        }
        done?;
        let key = order.finalize().await.map_err(|fault| said(&fault))?;
        let retries = RetryPolicy::new().timeout(PATIENCE);
        let chain = order.poll_certificate(&retries).await.map_err(|fault| said(&fault))?;
        Ok(Issued { chain, key: Personal::new(key) })
    }
}

/// Answers every challenge, and waits until the authority has looked.
async fn prove(
    order: &mut instant_acme::Order,
    board: &dyn Board,
    posted: &mut Vec<String>,
) -> Result<(), AcmeFault> {
    let mut all = order.authorizations();
    while let Some(one) = all.next().await {
        let mut one = one.map_err(|fault| said(&fault))?;
        if one.status == AuthorizationStatus::Valid {
            continue;
        }
        let name = one.identifier().to_string();
        let mut challenge = one.challenge(ChallengeType::Http01).ok_or_else(|| {
            let why = "it offers no challenge of the kind http-01".to_owned();
            AcmeFault::NotProven { name, why }
        })?;
        let answer = Personal::new(challenge.key_authorization().as_str().to_owned());
        posted.push(challenge.token.clone());
        board.post(&challenge.token.clone(), Some(&answer)).await?;
        challenge.set_ready().await.map_err(|fault| said(&fault))?;
    }
    match order.poll_ready(&RetryPolicy::new().timeout(PATIENCE)).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Ok(_) | Err(Error::Api(_)) => Err(unproven(order).await),
        Err(fault) => Err(said(&fault)),
    }
}

/// Which name was not proven, and why, in the authority's words.
async fn unproven(order: &mut instant_acme::Order) -> AcmeFault {
    let mut all = order.authorizations();
    while let Some(Ok(mut one)) = all.next().await {
        let name = one.identifier().to_string();
        let Ok(state) = one.refresh().await else { continue };
        let error = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(error) = error {
            return AcmeFault::NotProven { name, why: printable(&error.to_string()) };
        }
    }
    AcmeFault::Authority("the order is invalid".to_owned())
}

/// Whether the account is unknown (RFC 8555, section 6.7).
fn is_of_no_account(fault: &Error) -> bool {
    matches!(fault, Error::Api(problem) if problem.r#type.as_deref() == Some(NO_ACCOUNT))
}

fn said(fault: &Error) -> AcmeFault {
    AcmeFault::Authority(printable(&fault.to_string()))
}

/// At most 300 characters without controls: what an authority says goes into the log.
fn printable(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Issuer for Acme {
    fn issue<'a>(
        &'a self,
        names: &'a [String],
        board: &'a dyn Board,
    ) -> BoxFuture<'a, Result<Issued, AcmeFault>> {
        Box::pin(self.order(names, board))
    }
}

/// The client's requests, as webhooks carry them.
struct Requests(Arc<dyn HookChannel>);

impl HttpClient for Requests {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let hooks = Arc::clone(&self.0);
        Box::pin(async move {
            let (head, body) = request.into_parts();
            let body = match body.collect().await {
                Ok(whole) => whole.to_bytes(),
                Err(never) => match never {},
            };
            let method = match head.method {
                ::http::Method::GET => "GET",
                ::http::Method::HEAD => "HEAD",
                _ => "POST",
            };
            let kind = head.headers.get(::http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
            let headers = kind.map(|kind| ("content-type", kind.to_owned())).into_iter().collect();
            let (url, body) = (Personal::new(head.uri.to_string()), Personal::new(body));
            let answer = hooks.send(HookRequest { method, url, headers, body }).await;
            let answer = answer.map_err(|fault| Error::Other(format!("{fault:?}").into()))?;
            let mut response = Response::new(Full::new(answer.body.into_inner()));
            *response.status_mut() = ::http::StatusCode::from_u16(answer.status)
                .map_err(|fault| Error::Other(fault.to_string().into()))?;
            *response.headers_mut() = answer.headers;
            Ok(BytesResponse::from(response))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_authority_says_is_one_line() {
        let fault = said(&Error::Other("a\nb\u{1b}[31m".to_owned().into())).to_string();
        assert!(fault.ends_with("a b [31m"), "{fault:?}");
        assert_eq!(printable(&"x".repeat(500)).len(), 300);
    }
}
