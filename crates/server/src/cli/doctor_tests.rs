//! What the doctor finds, and how it says so.

use super::*;
use std::os::unix::fs::PermissionsExt;

#[test]
fn a_wrong_clock_is_bad() {
    assert_eq!(clock(Timestamp::EPOCH).state, State::Bad);
    assert_eq!(clock(WRITTEN_AFTER).state, State::Good);
}

#[test]
fn swap_on_a_plain_disk_is_worth_a_word() {
    let head = "Filename\tType\tSize\tUsed\tPriority\n";
    assert_eq!(swap(head).state, State::Good);
    assert_eq!(swap(&format!("{head}/dev/zram0 partition 1 0 -2\n")).state, State::Good);
    let plain = swap(&format!("{head}/dev/sda2 partition 1 0 -2\n"));
    assert_eq!((plain.state, plain.found.as_str()), (State::Warning, "on /dev/sda2"));
}

#[test]
fn keys_are_for_their_owner_and_folders_can_be_made() {
    let there = tempfile::tempdir().unwrap();
    let key = there.path().join("key");
    assert_eq!(private(&key, "key").state, State::Bad);
    fs::write(&key, "x").unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let open = private(&key, "key");
    assert!(open.state == State::Bad && open.next.starts_with("chmod 600 "), "{open:?}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(private(&key, "key").state, State::Good);
    assert_eq!(folder(there.path(), "folder").found, "can be written");
    assert_eq!(folder(&there.path().join("a/b"), "folder").found, "will be made");
    assert_eq!(folder(&key.join("below-a-file"), "folder").state, State::Bad);
}

#[tokio::test]
async fn a_port_is_free_or_in_use() {
    let taken = net::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = taken.address();
    assert_eq!(port(address).state, State::Warning);
    drop(taken);
    assert_eq!(port(address).state, State::Good);
}

#[test]
fn certificates_are_read_and_dated() {
    guard::tls::install_provider();
    let there = tempfile::tempdir().unwrap();
    let (chain, key) = (there.path().join("c"), there.path().join("k"));
    assert_eq!(certificate(&chain, &key, WRITTEN_AFTER).state, State::Bad);
    let authority = guard::tls::Authority::generate("Test CA", WRITTEN_AFTER).unwrap();
    let pair = authority.issue(&["localhost".to_owned()], &[], WRITTEN_AFTER).unwrap();
    fs::write(&chain, &pair.chain_pem).unwrap();
    fs::write(&key, pair.key_pem.expose()).unwrap();
    let day = Duration::from_secs(24 * 3600);
    for (days, state) in [(0, State::Good), (390, State::Warning), (400, State::Bad)] {
        assert_eq!(certificate(&chain, &key, WRITTEN_AFTER.plus(day * days)).state, state, "{days}");
    }
    fs::write(&key, "no key").unwrap();
    assert_eq!(certificate(&chain, &key, WRITTEN_AFTER).state, State::Bad);
}

#[test]
fn the_report_says_what_to_do() {
    let findings = [good("a", "well"), warning("b", "so so", "mind it"), bad("c", "broken", "mend it")];
    let text = report(&findings, false, false);
    assert!(
        text.starts_with("✓ a: well\n! b: so so\n    -> mind it\n✗ c: broken\n    -> mend it\n\n"),
        "{text}"
    );
    assert!(text.ends_with("1 to mend.\n"));
    let json: serde_json::Value = serde_json::from_str(&report(&findings, true, false)).unwrap();
    assert_eq!((&json["ok"], &json["checks"][2]["state"]), (&false.into(), &"bad".into()));
    assert!(report(&findings[..1], false, true).contains("\u{1b}[32m✓"));
}

#[test]
fn secrets_are_there_and_for_the_server_alone() {
    let there = tempfile::tempdir().unwrap();
    let file = there.path().join("secret");
    let place = SecretRef::File(file.clone());
    let gone = secret("token", &place);
    assert!(gone.state == State::Bad && gone.next.starts_with("put it there"), "{gone:?}");
    fs::write(&file, "hunter2").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let open = secret("token", &place);
    assert!(open.state == State::Warning && open.next.starts_with("chmod 600 "), "{open:?}");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(secret("token", &place).state, State::Good);
    assert_eq!(secret("token", &SecretRef::Env("PATH".into())).state, State::Warning);
    assert_eq!(secret("token", &SecretRef::Credential("surely-not-there".into())).state, State::Bad);
}

/// A secret itself in the place of a reference is found, and not repeated.
#[test]
fn plain_secrets_are_found() {
    let plain = "[listener]\naddress = '127.0.0.1:0'\nself_signed = true\ndata = '/d'\n[operator]\ntoken = 'hunter2hunter2'\n\
        [[cell]]\ngeography = 'europe'\nengine = { kind = 'postgres', url = 'postgres://u:hunter3@h/d' }\n\
        kms = { kind = 'local', path = '/d/k', passphrase = 'hunter4' }\n\
        [[resource]]\nname = 'a'\ngeography = 'europe'\naccess_keys = ['aHVudGVyNQ==']\n";
    let told = Config::parse("t", plain).unwrap_err().to_string();
    for key in
        ["operator.token", "cell[0].engine.url", "cell[0].kms.passphrase", "resource[0].access_keys[0]"]
    {
        assert!(told.contains(key), "{key}: {told}");
    }
    assert!(!told.contains("hunter") && !told.contains("aHVud"), "{told}");
}
