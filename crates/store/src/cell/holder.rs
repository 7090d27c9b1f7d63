//! Who holds the key above a resource's key: the cell's own root, or a key service that the resource's owner chose. The
//! stored row says which (`guard::holder`), so that every node of the cell asks the same one.

use std::collections::BTreeMap;
use std::sync::Arc;

use guard::Kms;
use guard::holder::ROOT;

use crate::error::StoreError;

/// The key services of one cell.
#[derive(Clone)]
pub struct KeyServices {
    root: Arc<dyn Kms>,
    named: BTreeMap<String, Arc<dyn Kms>>,
}

impl KeyServices {
    /// Only the cell's own root.
    #[must_use]
    pub fn new(root: Arc<dyn Kms>) -> Self {
        Self { root, named: BTreeMap::new() }
    }

    /// The same with one more, by its name: 1 to [`guard::holder::MAX_HOLDER`] bytes, and not [`ROOT`]. Any other name is never asked.
    #[must_use]
    pub fn with(mut self, name: &str, kms: Arc<dyn Kms>) -> Self {
        self.named.insert(name.to_owned(), kms);
        self
    }

    /// The names of all, the root's first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(ROOT).chain(self.named.keys().map(String::as_str))
    }

    /// The one that is called so.
    ///
    /// # Errors
    /// [`StoreError::UnknownKeyService`].
    pub fn of(&self, name: &str) -> Result<&dyn Kms, StoreError> {
        if name == ROOT {
            return Ok(&*self.root);
        }
        let found = self.named.get(name);
        found.map(|kms| &**kms).ok_or_else(|| StoreError::UnknownKeyService(name.to_owned()))
    }
}

impl From<Arc<dyn Kms>> for KeyServices {
    fn from(root: Arc<dyn Kms>) -> Self {
        Self::new(root)
    }
}
