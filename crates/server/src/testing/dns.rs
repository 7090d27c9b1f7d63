//! A DNS that says what a test wants.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use guard::BoxFuture;

use crate::service::email::domain::{DomainLookup, LookupFault};

/// TXT records by name; `None` for a name that gives no answer.
#[derive(Debug, Default)]
pub struct TestDns(Mutex<HashMap<String, Option<Vec<String>>>>);

impl TestDns {
    /// What is at `name` from now on.
    pub fn set(&self, name: &str, texts: &[&str]) {
        let texts = texts.iter().map(|text| (*text).to_owned()).collect();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Some(texts));
    }

    /// `name` gives no answer from now on.
    pub fn fail(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), None);
    }
}

impl DomainLookup for TestDns {
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, LookupFault>> {
        Box::pin(async move {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.get(name).cloned().unwrap_or_else(|| Some(Vec::new())).ok_or(LookupFault)
        })
    }
}
