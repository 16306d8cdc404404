//! Names of topics and groups that clusters listed, kept so that TAB knows them without a network.
//!
//! One small file for each cluster, written whole beside the old one and renamed, readable by its
//! owner alone. Names are a convenience: whatever goes wrong here is kept to the log.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::kafka::{Listed, Listener};

/// More names of a sort than this are of no use at a prompt.
const MOST_NAMES: usize = 5000;

/// Clusters come and go, above all those of `kpipe broker`.
const MOST_CLUSTERS: usize = 32;

/// [`MOST_NAMES`] topics and groups with names as long as Kafka's limit fit.
const LARGEST_FILE: u64 = 4 << 20;

/// What a cluster listed last.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// For who looks into the folder.
    brokers: String,
    pub topics: Vec<String>,
    pub groups: Vec<String>,
}

/// The folder of these files.
#[derive(Clone, Debug)]
pub struct NameCache {
    folder: PathBuf,
}

impl NameCache {
    /// A folder, which need not be there.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Returns what was kept for the cluster at `brokers`; nothing where that cannot be read.
    pub fn read(&self, brokers: &str) -> Names {
        let text = File::open(self.file(brokers)).and_then(|file| {
            let mut text = String::new();
            file.take(LARGEST_FILE).read_to_string(&mut text)?;
            Ok(text)
        });
        let names = text.ok().and_then(|text| serde_json::from_str(&text).ok());
        names.unwrap_or_default()
    }

    /// Returns what keeps the first list of topics and the first of groups that it hears: a run that
    /// looks again and again need not write again and again.
    pub fn keeper(self, brokers: &str) -> Listener {
        let brokers = brokers.to_owned();
        let heard = [AtomicBool::new(false), AtomicBool::new(false)];
        Arc::new(move |listed, names| {
            let heard = match listed {
                Listed::Topics => &heard[0],
                Listed::Groups => &heard[1],
            };
            if heard.swap(true, Ordering::Relaxed) {
                return;
            }
            if let Err(error) = self.keep(&brokers, listed, names) {
                tracing::debug!("names are not kept in {}: {error}", self.folder.display());
            }
        })
    }

    fn keep(&self, brokers: &str, listed: Listed, names: &[&str]) -> io::Result<()> {
        let mut kept = self.read(brokers);
        let mut names: Vec<String> = names
            .iter()
            .filter(|name| is_plain(name))
            .take(MOST_NAMES)
            .map(|name| (*name).to_owned())
            .collect();
        names.sort();
        match listed {
            Listed::Topics => kept.topics = names,
            Listed::Groups => kept.groups = names,
        }
        brokers.clone_into(&mut kept.brokers);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        // Made with mode 0600.
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        serde_json::to_writer(&mut file, &kept)?;
        file.flush()?;
        file.persist(self.file(brokers))?;
        self.forget_the_oldest()
    }

    fn forget_the_oldest(&self) -> io::Result<()> {
        let mut files: Vec<_> = fs::read_dir(&self.folder)?
            .filter_map(Result::ok)
            .map(|entry| {
                let written = entry.metadata().and_then(|metadata| metadata.modified());
                (written.unwrap_or(UNIX_EPOCH), entry.path())
            })
            .collect();
        files.sort();
        let surplus = files.len().saturating_sub(MOST_CLUSTERS);
        files
            .iter()
            .take(surplus)
            .try_for_each(|(_, path)| fs::remove_file(path))
    }

    fn file(&self, brokers: &str) -> PathBuf {
        let digest = Sha256::digest(brokers.as_bytes());
        let name = data_encoding::HEXLOWER.encode(&digest[..8]);
        self.folder.join(format!("{name}.json"))
    }
}

/// Whether a name can stand on a command line as it is: a shell puts what is completed there unquoted,
/// and whoever may name a group must not write commands for others. A topic's name always can; those
/// with two underscores in front are Kafka's own.
pub fn is_plain(name: &str) -> bool {
    !name.starts_with("__")
        && !name.starts_with('-')
        && !name.is_empty()
        && name.len() <= 249
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-:/@+".contains(&byte))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn cache() -> (tempfile::TempDir, NameCache) {
        let home = tempfile::tempdir().unwrap();
        let cache = NameCache::new(home.path().join("kpipe/names"));
        (home, cache)
    }

    #[test]
    fn a_cluster_keeps_its_topics_and_its_groups() {
        let (_home, cache) = cache();
        let keeper = cache.clone().keeper("a:1");
        keeper(Listed::Topics, &["orders", "__consumer_offsets", "audit"]);
        keeper(Listed::Groups, &["billing"]);
        keeper(Listed::Topics, &["heard before"]);
        let names = cache.read("a:1");
        assert_eq!(names.topics, ["audit", "orders"]);
        assert_eq!(names.groups, ["billing"]);
        assert_eq!(cache.read("b:1"), Names::default());
    }

    #[test]
    fn a_name_that_a_shell_would_run_is_not_kept() {
        for name in ["$(reboot)", "a b", "a;b", "`x`", "-x", "a\u{1b}[2J", ""] {
            assert!(!is_plain(name), "{name:?}");
        }
        let (_home, cache) = cache();
        cache.clone().keeper("a:1")(Listed::Groups, &["$(reboot)", "team/billing@2"]);
        assert_eq!(cache.read("a:1").groups, ["team/billing@2"]);
    }

    #[test]
    fn files_are_their_owners_alone_and_few() {
        let (_home, cache) = cache();
        for number in 0..MOST_CLUSTERS + 3 {
            cache.clone().keeper(&format!("a:{number}"))(Listed::Topics, &["orders"]);
        }
        let files: Vec<_> = fs::read_dir(&cache.folder).unwrap().collect();
        assert_eq!(files.len(), MOST_CLUSTERS);
        for file in files {
            let mode = file.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let mode = fs::metadata(&cache.folder).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn many_names_are_cut() {
        let (_home, cache) = cache();
        let names: Vec<String> = (0..=MOST_NAMES).map(|n| format!("t{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        cache.clone().keeper("a:1")(Listed::Topics, &names);
        assert_eq!(cache.read("a:1").topics.len(), MOST_NAMES);
    }

    #[test]
    fn a_damaged_file_counts_as_none_and_is_replaced() {
        let (_home, cache) = cache();
        fs::create_dir_all(&cache.folder).unwrap();
        fs::write(cache.file("a:1"), "{\"topics\":[").unwrap();
        assert_eq!(cache.read("a:1"), Names::default());
        cache.clone().keeper("a:1")(Listed::Topics, &["orders"]);
        assert_eq!(cache.read("a:1").topics, ["orders"]);
    }
}
