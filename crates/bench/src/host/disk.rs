//! How many bytes files take. It reads names and lengths, never content.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// The lengths of all files below `folder`, added up; symbolic links are not followed.
pub(crate) fn bytes_under(folder: &Path) -> Result<u64> {
    let failed = |e| Error::io("read the data folder", e);
    let mut total = 0;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            total += bytes_under(&entry.path())?;
        } else if kind.is_file() {
            total += entry.metadata().map_err(failed)?.len();
        }
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_files_at_every_depth() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(bytes_under(folder.path()).unwrap(), 0);
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("x"), [0; 10]).unwrap();
        fs::write(folder.path().join("a/b/y"), [0; 7]).unwrap();
        std::os::unix::fs::symlink(folder.path().join("x"), folder.path().join("z")).unwrap();
        assert_eq!(bytes_under(folder.path()).unwrap(), 17);
        assert!(bytes_under(&folder.path().join("none")).is_err());
    }
}
