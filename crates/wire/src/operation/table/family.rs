//! Shorthand for rows that differ in little: operations that are known but not built.

use http::Method;

use crate::operation::{Access, Area, Audit, Body, Operation};

/// What the rows of one service share.
pub(super) struct Family {
    pub area: Area,
    pub versions: &'static [&'static str],
    pub access: Access,
    pub read: &'static str,
    pub write: &'static str,
    pub delete: &'static str,
    pub log_table: Option<&'static str>,
}

impl Family {
    const fn row(
        &self,
        method: Method,
        name: &'static str,
        path: &'static str,
        permission: &'static str,
        body: Body,
        success: u16,
    ) -> Operation {
        Operation {
            name,
            area: self.area,
            method,
            path,
            versions: self.versions,
            access: self.access,
            permission,
            audit: Audit::None,
            log_table: self.log_table,
            log_name: None,
            body,
            rates: &[],
            success,
            built: false,
        }
    }

    pub(super) const fn get(&self, name: &'static str, path: &'static str) -> Operation {
        self.row(Method::GET, name, path, self.read, Body::None, 200)
    }

    pub(super) const fn delete(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::DELETE, name, path, self.delete, Body::None, success)
    }

    pub(super) const fn post(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::POST, name, path, self.write, Body::JSON, success)
    }

    /// A POST that only asks.
    pub(super) const fn query(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::POST, name, path, self.read, Body::JSON, success)
    }

    /// A POST without a body.
    pub(super) const fn act(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::POST, name, path, self.write, Body::None, success)
    }

    pub(super) const fn put(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::PUT, name, path, self.write, Body::JSON, success)
    }

    pub(super) const fn patch(&self, name: &'static str, path: &'static str, success: u16) -> Operation {
        self.row(Method::PATCH, name, path, self.write, Body::PATCH, success)
    }
}
