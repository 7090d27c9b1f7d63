//! `directory.json` of a development folder: which resources it has, under which ids, in which geographies. It holds no
//! content and no key.

use std::fs;
use std::io;
use std::path::Path;

use base::{Geography, ResourceId, Rng};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::files::{self, Readers};
use crate::config::ResourceName;

/// The format written.
const FORMAT: u32 = 1;

/// One resource as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// Its name.
    pub name: ResourceName,
    /// Its id.
    pub id: ResourceId,
    /// Where it lives, for ever.
    pub geography: Geography,
}

/// A resource as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its name.
    pub name: ResourceName,
    /// Where it shall live; `None` is where it lives, or the default for a new one.
    pub geography: Option<Geography>,
}

/// Why the directory does not do.
#[derive(Debug, Error)]
pub enum DirectoryError {
    /// It cannot be read or written.
    #[error("directory.json cannot be read or written: {}", .0.kind())]
    Io(#[from] io::Error),
    /// It is not what was written.
    #[error("directory.json is damaged; restore it from a backup, or use another data folder")]
    Damaged,
    /// It was written by a later version.
    #[error("directory.json has format {0}, this program reads {FORMAT}: use the version that wrote it")]
    Format(u32),
    /// One name was asked for twice.
    #[error("the resource {0} is named twice")]
    Twice(ResourceName),
    /// A resource would have to move.
    #[error(
        "the resource {name} lives in {has}, not in {wanted}. The geography of a resource never changes, for its data \
         must not leave it; name another resource, leave the geography out, or use another data folder",
        has = has.as_str(), wanted = wanted.as_str()
    )]
    Moved {
        /// Which.
        name: ResourceName,
        /// Where it lives.
        has: Geography,
        /// Where it was asked to live.
        wanted: Geography,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    format: u32,
    resources: Vec<Known>,
}

/// The resources of the folder whose directory is at `path`: those `wanted`, made when they are new, then the others it
/// knows. With none wanted and none known, `default` is made. The file is written when something is new.
///
/// # Errors
/// [`DirectoryError`].
pub fn settle(
    path: &Path,
    wanted: &[Wanted],
    default: &ResourceName,
    geography: &Geography,
    rng: &dyn Rng,
) -> Result<Vec<Known>, DirectoryError> {
    let known = read(path)?;
    let fallback = [Wanted { name: default.clone(), geography: None }];
    let wanted = if wanted.is_empty() && known.is_empty() { &fallback[..] } else { wanted };
    let mut settled: Vec<Known> = Vec::new();
    for each in wanted {
        if settled.iter().any(|have| have.name == each.name) {
            return Err(DirectoryError::Twice(each.name.clone()));
        }
        settled.push(match known.iter().find(|have| have.name == each.name) {
            Some(have) => stays(have, each)?,
            None => Known {
                name: each.name.clone(),
                id: ResourceId::mint(rng),
                geography: each.geography.clone().unwrap_or_else(|| geography.clone()),
            },
        });
    }
    for have in known.iter() {
        if !settled.iter().any(|one| one.name == have.name) {
            settled.push(have.clone());
        }
    }
    if settled != known {
        let stored = Stored { format: FORMAT, resources: settled.clone() };
        let text = serde_json::to_string_pretty(&stored).map_err(|_| DirectoryError::Damaged)?;
        files::write_whole(path, text.as_bytes(), Readers::Owner)?;
    }
    Ok(settled)
}

fn stays(have: &Known, wanted: &Wanted) -> Result<Known, DirectoryError> {
    match &wanted.geography {
        Some(geography) if *geography != have.geography => Err(DirectoryError::Moved {
            name: have.name.clone(),
            has: have.geography.clone(),
            wanted: geography.clone(),
        }),
        _ => Ok(have.clone()),
    }
}

fn read(path: &Path) -> Result<Vec<Known>, DirectoryError> {
    #[derive(Deserialize)]
    struct Any {
        format: u32,
    }
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(fault) => return Err(fault.into()),
    };
    let any: Any = serde_json::from_slice(&text).map_err(|_| DirectoryError::Damaged)?;
    if any.format != FORMAT {
        return Err(DirectoryError::Format(any.format));
    }
    let stored: Stored = serde_json::from_slice(&text).map_err(|_| DirectoryError::Damaged)?;
    Ok(stored.resources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::SeededRng;

    fn name(text: &str) -> ResourceName {
        ResourceName::parse(text).unwrap()
    }

    fn wanted(text: &str, geography: Option<&str>) -> Wanted {
        Wanted { name: name(text), geography: geography.map(|text| text.parse().unwrap()) }
    }

    fn settle_in(folder: &Path, wants: &[Wanted], seed: u64) -> Result<Vec<Known>, DirectoryError> {
        let home = "unitedstates".parse().unwrap();
        settle(&folder.join("directory.json"), wants, &name("dev"), &home, &SeededRng::new(seed))
    }

    #[test]
    fn ids_and_geographies_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = settle_in(folder.path(), &[wanted("a", Some("europe")), wanted("b", None)], 1).unwrap();
        assert_eq!(first[0].geography.as_str(), "europe");
        assert_eq!(first[1].geography.as_str(), "unitedstates");
        let again = settle_in(folder.path(), &[], 2).unwrap();
        assert_eq!(again, first, "without wishes all are served as before");
        let reordered = settle_in(folder.path(), &[wanted("b", Some("unitedstates"))], 3).unwrap();
        assert_eq!(reordered, [first[1].clone(), first[0].clone()], "the wanted one first, none forgotten");
        let grown = settle_in(folder.path(), &[wanted("c", None)], 4).unwrap();
        assert_eq!((grown.len(), &grown[0].name), (3, &name("c")));
        assert!(!first.iter().any(|one| one.id == grown[0].id));
    }

    #[test]
    fn an_empty_folder_gets_the_default_one() {
        let folder = tempfile::tempdir().unwrap();
        let made = settle_in(folder.path(), &[], 1).unwrap();
        assert_eq!(
            (made.len(), made[0].name.as_str(), made[0].geography.as_str()),
            (1, "dev", "unitedstates")
        );
    }

    #[test]
    fn a_resource_never_moves_and_is_named_once() {
        let folder = tempfile::tempdir().unwrap();
        settle_in(folder.path(), &[wanted("a", Some("europe"))], 1).unwrap();
        let moved = settle_in(folder.path(), &[wanted("a", Some("india"))], 2).unwrap_err();
        assert!(moved.to_string().contains("lives in europe, not in india"), "{moved}");
        let twice =
            settle_in(folder.path(), &[wanted("n", None), wanted("n", Some("india"))], 3).unwrap_err();
        assert!(matches!(twice, DirectoryError::Twice(_)));
        assert_eq!(settle_in(folder.path(), &[], 4).unwrap().len(), 1, "a refused wish changes nothing");
    }

    #[test]
    fn what_is_damaged_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("directory.json");
        for bad in ["", "{", "{\"format\":1}", "{\"format\":1,\"resources\":[{\"name\":\"-\"}]}"] {
            fs::write(&path, bad).unwrap();
            assert!(matches!(settle_in(folder.path(), &[], 1), Err(DirectoryError::Damaged)), "{bad}");
            assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        }
        fs::write(&path, "{\"format\":2,\"other\":true}").unwrap();
        assert!(matches!(settle_in(folder.path(), &[], 1), Err(DirectoryError::Format(2))));
    }
}
