//! What `chancery dev` prints: all that a developer pastes.

use std::path::Path;

use super::ready::Ready;

/// What the samples are made of.
#[derive(Debug)]
pub struct Samples<'a> {
    /// The running server.
    pub ready: &'a Ready,
    /// The connection string of the default resource under a name that every machine resolves.
    pub connection_string: &'a str,
    /// What clients must trust.
    pub ca: &'a Path,
    /// Where state is, and whether it is kept.
    pub data: &'a Path,
    /// Whether the folder goes with the process.
    pub fresh: bool,
    /// Resources whose own host names this machine does not resolve.
    pub unresolved: Vec<String>,
}

impl Samples<'_> {
    /// The whole text.
    #[must_use]
    pub fn text(&self) -> String {
        let Ready { endpoint, resources, .. } = self.ready;
        let (ca, data) = (self.ca.display(), self.data.display());
        let kept =
            if self.fresh { "removed when the server stops; keep one with --data DIR" } else { "kept" };
        let each: String = resources
            .iter()
            .map(|one| {
                let numbers = one.phone_numbers.join(" ");
                format!("  {} in {}, {numbers}\n    {}\n", one.name, one.geography, one.connection_string)
            })
            .collect();
        format!(
            "Chancery is ready.\n\n\
             Endpoint           {endpoint}\n\
             Connection string  {connection}\n\
             CA file            {ca}\n\
             Data               {data} ({kept})\n{outbox}\n\
             Resources, each by its own host name:\n{each}{hint}\n\
             Python: pip install azure-communication-identity azure-communication-chat\n\n{python}\n\
             JavaScript: npm install @azure/communication-{{identity,chat,common}}\n\
             Save as sample.mjs, then: NODE_EXTRA_CA_CERTS={ca} node sample.mjs\n\n{javascript}\n\
             Stop with Ctrl-C.\n",
            connection = self.connection_string,
            outbox = self.outbox(),
            hint = self.hint(),
            python = self.python(),
            javascript = self.javascript(),
        )
    }

    /// The page that shows what was sent. The token is behind the `#`, which browsers keep to themselves.
    fn outbox(&self) -> String {
        let token = self.ready.admin_token.as_deref();
        token.map_or_else(String::new, |token| {
            format!("Outbox             {}/operator/outbox#token={token}\n", self.ready.endpoint)
        })
    }

    fn hint(&self) -> String {
        if self.unresolved.is_empty() {
            return String::new();
        }
        let names: Vec<_> = self.unresolved.iter().map(|name| format!("{name}.localhost")).collect();
        format!(
            "  This machine does not resolve these names. Add to /etc/hosts: 127.0.0.1 {}\n",
            names.join(" ")
        )
    }

    fn python(&self) -> String {
        format!(
            "from azure.communication.identity import CommunicationIdentityClient\n\
             from azure.communication.chat import ChatClient, CommunicationTokenCredential\n\
             identity = CommunicationIdentityClient.from_connection_string({connection:?}, connection_verify={ca:?})\n\
             user, token = identity.create_user_and_token([\"chat\"])\n\
             chat = ChatClient({endpoint:?}, CommunicationTokenCredential(token.token), connection_verify={ca:?})\n\
             print(chat.create_chat_thread(\"Hello\").chat_thread.id)\n",
            connection = self.connection_string,
            endpoint = self.ready.endpoint,
            ca = self.ca.display().to_string(),
        )
    }

    fn javascript(&self) -> String {
        format!(
            "import {{ CommunicationIdentityClient }} from \"@azure/communication-identity\";\n\
             import {{ ChatClient }} from \"@azure/communication-chat\";\n\
             import {{ AzureCommunicationTokenCredential }} from \"@azure/communication-common\";\n\
             const {{ token }} = await new CommunicationIdentityClient({connection:?}).createUserAndToken([\"chat\"]);\n\
             const chat = new ChatClient({endpoint:?}, new AzureCommunicationTokenCredential(token));\n\
             console.log((await chat.createChatThread({{ topic: \"Hello\" }})).chatThread.id);\n",
            connection = self.connection_string,
            endpoint = self.ready.endpoint,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::ready::{ReadyResource, connection_string};
    use super::*;

    fn text(fresh: bool, unresolved: Vec<String>) -> String {
        let own = "https://dev.localhost:8443".to_owned();
        let resource = ReadyResource {
            name: "dev".into(),
            geography: "europe".into(),
            connection_string: connection_string(&own, "a2V5"),
            email_domain: None,
            phone_numbers: vec!["+18335550100".into()],
            endpoint: own,
        };
        let endpoint = "https://localhost:8443".to_owned();
        let admin_token = Some("dG9rZW4".to_owned());
        let resources = vec![resource];
        let ready = Ready { endpoint, pid: 1, admin_token, resources, ..Ready::default() };
        let connection_string = connection_string(&ready.endpoint, "a2V5");
        let (ca, data) = (Path::new("/d/ca/ca.pem"), Path::new("/d"));
        Samples { ready: &ready, connection_string: &connection_string, ca, data, fresh, unresolved }.text()
    }

    #[test]
    fn says_all_that_is_pasted() {
        let text = text(false, Vec::new());
        for line in [
            "Endpoint           https://localhost:8443",
            "Connection string  endpoint=https://localhost:8443/;accesskey=a2V5",
            "CA file            /d/ca/ca.pem",
            "Data               /d (kept)",
            "Outbox             https://localhost:8443/operator/outbox#token=dG9rZW4",
            "endpoint=https://dev.localhost:8443/;accesskey=a2V5",
            "dev in europe, +18335550100",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("/etc/hosts"));
    }

    #[test]
    fn samples_have_six_lines() {
        let text = text(true, vec!["dev".into()]);
        let sample = |first: &str| {
            let start = text.find(first).unwrap();
            text[start..].lines().take_while(|line| !line.is_empty()).count()
        };
        assert_eq!((sample("from azure"), sample("import {")), (6, 6));
        assert!(text.contains("Add to /etc/hosts: 127.0.0.1 dev.localhost") && text.contains("--data DIR"));
    }
}
