//! A small world to call every operation in: a thread with its owner, and how each operation is called so that it works.

use base::phone::{Assignment, NumberType};
use base::{EntryId, Limits};
use serde_json::{Value, json};
use server::service::numbers::{Filter, Wanted};
use server::testing::{Answer, Call, Options, TestApp, TestUser};
use store::engine::memory::FaultPlan;
use wire::operation::{Access, OPERATIONS, Operation};

/// Every scope there is.
pub(crate) const ALL: [&str; 5] = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"];

/// A domain of the resource under test, where one is needed.
const DOMAIN: &str = "contoso.example";

/// A thread with two participants and a message, in the resource under test.
pub(crate) struct World {
    pub(crate) test: TestApp,
    pub(crate) owner: TestUser,
    pub(crate) member: TestUser,
    pub(crate) thread: String,
    pub(crate) message: String,
    /// What was made for an operation to be done to: see [`World::for_operation`].
    made: String,
    /// The id of a text that was sent.
    pub(crate) text: String,
    pub(crate) numbers: Numbers,
}

/// Something of everything there is to phone numbers, in the resource under test.
#[derive(Default)]
pub(crate) struct Numbers {
    pub(crate) held: String,
    pub(crate) search: String,
    pub(crate) operation: String,
    pub(crate) reservation: String,
}

/// A few numbers, enough to search for and to reserve.
const INVENTORY: &str = "number,country,type,calling,sms,area_code,locality\n\
    +14255550100..+14255550107,US,tollFree,inbound+outbound,inbound+outbound,425,Bellevue\n";

impl Numbers {
    async fn new(test: &TestApp) -> Self {
        test.load_numbers(INVENTORY).await;
        let held = "+14255550100".to_owned();
        test.hold_number(test.resource(), &held).await;
        let wanted = Wanted {
            country: "US".to_owned(),
            kind: NumberType::TollFree,
            assignment: Assignment::Application,
            capabilities: None,
            area_code: None,
            quantity: 2,
        };
        let (operation, search) = test.numbers().search(&wanted).await.unwrap();
        let reservation = EntryId::mint(&*test.rng);
        let free = test.numbers().browse(&Filter::default(), &[]).await.unwrap()[0].number.clone();
        test.numbers().reserve(reservation, &[free], &[]).await.unwrap();
        Self {
            held,
            search: search.to_string(),
            operation: operation.to_string(),
            reservation: reservation.to_string(),
        }
    }
}

impl World {
    /// Where nobody is slowed down for failing: whole walks over the table fail on purpose.
    pub(crate) async fn new() -> Self {
        let limits = Limits { auth_failures_per_minute: u32::MAX, ..Limits::default() };
        Self::with(Options { limits, ..Options::default() }).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let test = TestApp::with(options).await;
        let (owner, member) = (test.user(&ALL).await, test.user(&ALL).await);
        let new = json!({
            "topic": test.canary(),
            "participants": [participant(&member)],
        });
        let made = test.call("POST", "/chat/threads").by(&owner).json(&new).send().await.expect(201).json();
        let thread = made["chatThread"]["id"].as_str().unwrap().to_owned();
        let numbers = Numbers::new(&test).await;
        let mut world = Self {
            test,
            owner,
            member,
            thread,
            message: String::new(),
            made: String::new(),
            text: String::new(),
            numbers,
        };
        world.message = world.say().await;
        world.text = world.text().await;
        world
    }

    /// With what the operation is done to, where that is not there in every world.
    pub(crate) async fn for_operation(operation: &Operation) -> Self {
        let mut world = Self::new().await;
        let text = |answer: &Answer| answer.json()["id"].as_str().unwrap_or_default().to_owned();
        world.made = match operation.name {
            "email.get_send_result" | "operator.email.get_mail" => text(&world.first("email.send").await),
            "operator.email.delete_suppression" => text(&world.first("operator.email.suppress").await),
            "operator.email.rotate_domain" => {
                let view = world.first("operator.email.put_domain").await.json();
                for record in view["records"].as_array().unwrap() {
                    let value = record["value"].as_str().unwrap();
                    world.test.dns.set(record["name"].as_str().unwrap(), &[value]);
                }
                text(&world.first("operator.email.verify_domain").await)
            }
            "operator.email.delete_sender" => {
                world.first("operator.email.put_domain").await;
                text(&world.first("operator.email.put_sender").await)
            }
            "operator.email.get_domain"
            | "operator.email.delete_domain"
            | "operator.email.verify_domain"
            | "operator.email.put_sender" => text(&world.first("operator.email.put_domain").await),
            "events.agree" => {
                world.first("operator.events.put").await;
                crate::events::asked(&world.test).await
            }
            "arm.event_subscriptions.get"
            | "arm.event_subscriptions.update"
            | "arm.event_subscriptions.delete"
            | "arm.event_subscriptions.get_full_url"
            | "operator.events.get"
            | "operator.events.delete"
            | "operator.events.dead_letters"
            | "operator.events.clear_dead_letters" => text(&world.first("operator.events.put").await),
            "outbox.read" | "outbox.raw" | "outbox.delete" => crate::outbox_api::captured(&world.test).await,
            "outbox.receive" => crate::outbox_api::take_texts(&world.test),
            _ => String::new(),
        };
        world
    }

    /// An operation that must be done before another.
    async fn first(&self, name: &str) -> Answer {
        let operation = wire::operation::by_name(name).unwrap();
        self.perform(operation).await.expect(operation.success)
    }

    /// One more message of the owner.
    pub(crate) async fn say(&self) -> String {
        let new = json!({ "content": self.test.canary(), "senderDisplayName": self.test.canary() });
        let target = format!("/chat/threads/{}/messages", encoded(&self.thread));
        let sent = self.test.call("POST", &target).by(&self.owner).json(&new).send().await.expect(201);
        sent.json()["id"].as_str().unwrap().to_owned()
    }

    /// One more text of the resource.
    pub(crate) async fn text(&self) -> String {
        let sent = self.test.call("POST", "/sms").signed().json(&sms(&self.test)).send().await.expect(202);
        sent.json()["value"][0]["messageId"].as_str().unwrap().to_owned()
    }

    /// Whether the store takes nothing more.
    pub(crate) fn refuse_commits(&self, refuse: bool) {
        let plan = FaultPlan { before: 1000, ..FaultPlan::none(self.test.rng.clone()) };
        self.test.engine.set_faults(refuse.then_some(plan));
    }

    /// The operation's path with ids of this world.
    pub(crate) fn target(&self, operation: &Operation) -> String {
        self.target_in(operation, &self.thread)
    }

    /// The same in another thread.
    pub(crate) fn target_in(&self, operation: &Operation, thread: &str) -> String {
        let path = fill(operation.path, |name| match name {
            "id" => encoded(&self.member.raw_id),
            "chatThreadId" => encoded(thread),
            "chatMessageId" => self.message.clone(),
            "resource" | "communicationServiceName" => self.test.resource().name().to_owned(),
            "code" => self.made.clone(),
            "smtpUser" => "0".repeat(32),
            "domain" => DOMAIN.to_owned(),
            "sender" => "info".to_owned(),
            "operationId" | "mail" | "suppression" | "item" if !self.made.is_empty() => self.made.clone(),
            "countryCode" => "US".to_owned(),
            "phoneNumber" => self.numbers.held.replace('+', "%2B"),
            "searchId" => self.numbers.search.clone(),
            "operationId" => self.numbers.operation.clone(),
            "reservationId" => self.numbers.reservation.clone(),
            "geography" => self.test.resource().geography().as_str().to_owned(),
            "optOut" => "0".repeat(64),
            "outgoingMessageId" => self.text.clone(),
            other => other.to_owned(),
        });
        // The one operation that cannot be called without a query.
        if operation.name == "numbers.list_area_codes" { path + "?phoneNumberType=tollFree" } else { path }
    }

    /// A body the operation takes.
    pub(crate) fn body(&self, operation: &Operation) -> Option<Value> {
        let member = json!({ "communicationUser": { "id": self.member.raw_id } });
        Some(match operation.name {
            "identity.create" => json!({ "createTokenWithScopes": ["chat"] }),
            "identity.issue_token" => json!({ "scopes": ["chat"] }),
            "operator.queue.pause" | "operator.queue.resume" | "operator.queue.hurry" => {
                json!({ "resource": self.test.resource().name() })
            }
            "operator.keys.hand_over_cell" | "operator.keys.hand_over_resource" => {
                json!({ "to": "customer" })
            }
            "operator.access_keys.regenerate" => json!({ "key": "secondary" }),
            "arm.event_subscriptions.create_or_update" | "operator.events.put" => json!({ "properties": {
                "destination": {
                    "endpointType": "WebHook", "properties": { "endpointUrl": "https://hooks.example/a?code=secret" },
                },
            } }),
            "arm.event_subscriptions.update" => json!({ "labels": ["one"] }),
            "outbox.set_rules" => json!({ "rules": [{ "match": "full@*", "action": "bounce" }] }),
            "outbox.receive" => {
                json!({ "from": "+14255550100", "to": "+18335550100", "text": self.test.canary() })
            }
            "operator.email.put_smtp_user" => json!({ "username": self.test.canary() }),
            "email.send" => json!({
                "senderAddress": "donotreply@contoso.chancery.test",
                "content": { "subject": self.test.canary(), "plainText": self.test.canary() },
                "recipients": { "to": [{ "address": format!("{}@example.com", self.test.canary()) }] },
            }),
            "operator.email.suppress" | "operator.email.explain_suppression" => {
                json!({ "address": format!("{}@example.com", self.test.canary()) })
            }
            "numbers.browse_available_numbers" => json!({ "phoneNumberType": "tollFree" }),
            "numbers.create_or_update_reservation" => json!({ "phoneNumbers": {} }),
            "numbers.search_available_phone_numbers" => {
                json!({ "phoneNumberType": "tollFree", "assignmentType": "application" })
            }
            "numbers.purchase_phone_numbers" => json!({ "searchId": self.numbers.search }),
            "numbers.purchase_reservation" => json!({ "agreeToNotResell": true }),
            "numbers.update_capabilities" => json!({ "sms": "inbound" }),
            "numbers.operator_information_search" => json!({ "phoneNumbers": [self.numbers.held] }),
            "operator.numbers.import" => {
                json!({ "csv": "number,country,type,calling,sms\n+14255550190,US,mobile,inbound,none" })
            }
            "push.register" => json!({ "registrationId": "0", "transports": {} }),
            "sip.update" => json!({ "trunks": { "sbs1.contoso.com": { "sipSignalingPort": 5061 } } }),
            "sms.send" => sms(&self.test),
            "sms.opt_outs.add" | "sms.opt_outs.remove" | "sms.opt_outs.check" => {
                json!({ "from": "55555", "recipients": [{ "to": "+14255550100" }] })
            }
            "chat.create_thread" => json!({ "topic": self.test.canary() }),
            "chat.update_thread" => json!({ "topic": self.test.canary() }),
            "chat.send_message" | "chat.update_message" => json!({ "content": self.test.canary() }),
            "chat.add_participants" => json!({ "participants": [participant(&self.member)] }),
            "chat.remove_participant" => member,
            "chat.send_read_receipt" => json!({ "chatMessageId": self.message }),
            "chat.send_typing" => json!({ "senderDisplayName": self.test.canary() }),
            _ => return None,
        })
    }

    /// A call of the operation without a credential, good in everything else.
    pub(crate) fn call(&self, operation: &Operation) -> Call<'_> {
        self.call_at(operation, &self.target(operation))
    }

    pub(crate) fn call_at(&self, operation: &Operation, target: &str) -> Call<'_> {
        let call = self.test.call(operation.method.as_str(), target);
        match self.body(operation) {
            Some(body) => call.json(&body),
            None => call,
        }
    }

    /// With the credential that the operation wants: the access key, or the token of `user`.
    pub(crate) fn admitted<'a>(&'a self, operation: &Operation, call: Call<'a>, user: &TestUser) -> Call<'a> {
        match operation.access {
            Access::Public => call,
            Access::AccessKey => call.signed(),
            Access::Operator => call.operator(),
            Access::UserToken(_) | Access::Directory => call.by(user),
        }
    }

    /// The operation as its owner calls it.
    pub(crate) async fn perform(&self, operation: &Operation) -> Answer {
        self.admitted(operation, self.call(operation), &self.owner).send().await
    }
}

/// The rows this server serves.
pub(crate) fn built() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().copied().filter(|operation| operation.built)
}

/// The rows that want a credential.
pub(crate) fn guarded() -> impl Iterator<Item = &'static Operation> {
    built().filter(|operation| operation.access != Access::Public)
}

/// Those of a thread.
pub(crate) fn of_a_thread() -> impl Iterator<Item = &'static Operation> {
    built().filter(|operation| operation.path.contains("{chatThreadId}"))
}

/// `path` with each `{name}` replaced.
pub(crate) fn fill(path: &str, value: impl Fn(&str) -> String) -> String {
    let mut filled = String::new();
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("a closing brace");
        filled.push_str(before);
        filled.push_str(&value(name));
        rest = after;
    }
    filled + rest
}

/// As the SDKs write an id into a path.
pub(crate) fn encoded(id: &str) -> String {
    id.replace(':', "%3A").replace('@', "%40")
}

pub(crate) fn participant(user: &TestUser) -> Value {
    json!({ "communicationIdentifier": { "communicationUser": { "id": user.raw_id } } })
}

/// A text from a name to a number, with words that must not be logged.
fn sms(test: &TestApp) -> Value {
    json!({ "from": "CONTOSO", "smsRecipients": [{ "to": "+14255550100" }], "message": test.canary() })
}
