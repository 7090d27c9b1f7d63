//! What the mail service says when it does not do what was asked.

use super::ApiError;

impl ApiError {
    /// 400 `BadRequest`, as the mail service says that a property of the body is wrong.
    #[must_use]
    pub fn mail_property(path: &str) -> Self {
        Self::bad_request(format!("Request body validation error. See property '{path}'"))
    }

    /// 400 `BadRequest`: a text that is no address. The message does not repeat it.
    #[must_use]
    pub fn mail_address(path: &str) -> Self {
        Self::bad_request(format!("Invalid format for email address. See property '{path}'"))
    }

    /// 400 `BadRequest`: an attachment that is not base64.
    #[must_use]
    pub fn mail_base64() -> Self {
        Self::bad_request("Request body validation error. ContentBytes invalid. Should be base64.")
    }

    /// 400 `InvalidSenderUserName`: the domain is the resource's, but has no such sender. ACS repeats the username,
    /// which names a person; this does not.
    #[must_use]
    pub fn invalid_sender_username() -> Self {
        let message = "Invalid email sender username. Please use a username from the list of valid usernames \
                       configured by your admin.";
        Self::new(400, "InvalidSenderUserName", message)
    }

    /// 404 `DomainNotLinked`: the sender's domain is not one of the resource, or is not verified.
    #[must_use]
    pub fn domain_not_linked() -> Self {
        Self::new(404, "DomainNotLinked", "The specified sender domain has not been linked.")
    }
}
