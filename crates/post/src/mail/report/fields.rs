//! Groups of fields, as reports are written: `Name: value`, lines that go on begin with a blank, an empty line ends a group
//! (RFC 3464, section 2.1.1).

use base::Personal;

/// The most groups of one report that are read, the one about the whole report among them.
const MAX_GROUPS: usize = base::limits::MAX_REPORT_RECIPIENTS + 1;
/// The most fields of a group that are read.
const MAX_FIELDS: usize = 100;
/// The longest value that is kept, in characters.
const MAX_VALUE: usize = 2_000;

/// One group: names in lower case, values unfolded and without comments at their ends.
#[derive(Debug, Default)]
pub(super) struct Group(Vec<(String, String)>);

impl Group {
    /// The first value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of `name`.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of `name` after its type: `rfc822; ada@example.org` is `ada@example.org`.
    pub(super) fn typed(&self, name: &str) -> Option<&str> {
        let value = self.get(name)?;
        Some(value.split_once(';').map_or(value, |(_, value)| value).trim())
    }

    /// An address of `name`, after its type or without one.
    pub(super) fn address(&self, name: &str) -> Option<Personal<String>> {
        address(self.typed(name)?)
    }
}

/// An address out of its angle brackets; `None` when there is nothing like one.
pub(super) fn address(text: &str) -> Option<Personal<String>> {
    let text = text.trim().trim_start_matches('<').trim_end_matches('>').trim();
    (text.contains('@') && text.len() <= 320).then(|| text.to_owned().into())
}

/// Reads all groups that have a field.
pub(super) fn read(bytes: &[u8]) -> Vec<Group> {
    let text = String::from_utf8_lossy(bytes);
    let (mut groups, mut group) = (Vec::new(), Group::default());
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            close(&mut group, &mut groups);
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = group.0.last_mut() {
                append(value, line.trim_start());
            }
        } else if let Some((name, value)) = line.split_once(':')
            && group.0.len() < MAX_FIELDS
        {
            group.0.push((name.trim().to_ascii_lowercase(), String::new()));
            if let Some((_, kept)) = group.0.last_mut() {
                append(kept, value.trim());
            }
        }
        if groups.len() >= MAX_GROUPS {
            return groups;
        }
    }
    close(&mut group, &mut groups);
    groups
}

fn close(group: &mut Group, groups: &mut Vec<Group>) {
    if !group.0.is_empty() {
        groups.push(std::mem::take(group));
    }
}

fn append(value: &mut String, more: &str) {
    let room = MAX_VALUE.saturating_sub(value.chars().count() + 1);
    if !value.is_empty() && room > 0 {
        value.push(' ');
    }
    value.extend(more.chars().take(room));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_fields_and_folding() {
        let text = b"Reporting-MTA: dns; mx.example\r\n\r\n\r\nFinal-Recipient: rfc822;\r\n\tada@example.org\r\nX: 1\nX:2\n \n\
            no field\n goes on nowhere\n\nLast : yes";
        let groups = read(text);
        assert_eq!(groups.len(), 3, "{groups:?}");
        assert_eq!(groups[0].typed("reporting-mta"), Some("mx.example"));
        assert_eq!(groups[1].get("final-recipient"), Some("rfc822; ada@example.org"));
        assert_eq!(groups[1].all("x").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(groups[2].get("last"), Some("yes"));
        assert!(read(b"").is_empty() && read(b"\r\n \r\n").is_empty());
    }

    #[test]
    fn all_has_an_end() {
        let many = "A: 1\r\n\r\n".repeat(MAX_GROUPS + 50);
        assert_eq!(read(many.as_bytes()).len(), MAX_GROUPS);
        let wide = "A: 1\r\n".repeat(MAX_FIELDS + 50);
        assert_eq!(read(wide.as_bytes())[0].all("a").count(), MAX_FIELDS);
        let long = format!("A: {}\r\n {}\r\n", "x".repeat(MAX_VALUE), "y".repeat(MAX_VALUE));
        assert!(read(long.as_bytes())[0].get("a").unwrap().chars().count() <= MAX_VALUE);
    }

    #[test]
    fn addresses_lose_their_brackets() {
        let of = |text| address(text).map(Personal::into_inner);
        assert_eq!(of(" <ada@example.org> ").as_deref(), Some("ada@example.org"));
        assert_eq!(of("ada@example.org").as_deref(), Some("ada@example.org"));
        assert_eq!(of("ada"), None);
        assert_eq!(of(&format!("a@{}", "b".repeat(400))), None);
    }
}
