//! What is read of a tree of routing files: which files, how much at most, and
//! where symbolic links may lead. One rule for a directory on disk and for a
//! commit. Core: imports `error` and `finding`.
//!
//! A link is followed to a regular file of the same repository (without one,
//! of the routing directory). Anything else is a finding that says nothing of
//! what is there: files outside may hold credentials, and a finding would
//! quote them.

use crate::error::Error;
use crate::finding::Finding;

/// Bytes of one routing file.
pub(crate) const MAX_FILE_BYTES: u64 = 256 << 20;

/// Files, directories and links below the routing directory.
pub(crate) const MAX_ENTRIES: usize = 100_000;

/// Symbolic links among them.
pub(crate) const MAX_SYMLINKS: usize = 10_000;

/// Directories within each other below the routing directory.
pub(crate) const MAX_DEPTH: usize = 64;

/// Most links on the way to one file, as in Linux.
const MAX_LINKS: usize = 40;

/// Most parts of the path on the way to one file.
const MAX_STEPS: usize = 1_000;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PathNode {
    Missing,
    File,
    Directory,
    /// A link with its target.
    Link(String),
    /// A link whose target begins at the top.
    LinkFromTop(String),
    /// A directory that is a git repository of its own, a submodule among
    /// them.
    Repository,
    /// A pipe, a device, a socket.
    Special,
}

/// Why a link is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkFault {
    Outside,
    GitDirectory,
    OtherRepository,
    Directory,
    Special,
    NotToml,
    Nowhere,
    Loop,
}

impl LinkFault {
    /// The finding, without its place.
    pub(crate) fn into_finding(self) -> Finding {
        let (code, what) = match self {
            LinkFault::Nowhere => ("unreadable-file", "nowhere"),
            LinkFault::Loop => ("symlink-loop", "back to itself"),
            LinkFault::Outside => ("symlink-not-followed", "out of the repository"),
            LinkFault::GitDirectory => ("symlink-not-followed", "into a `.git`"),
            LinkFault::OtherRepository => ("symlink-not-followed", "into another repository"),
            LinkFault::Directory => ("symlink-not-followed", "to a directory"),
            LinkFault::Special => ("symlink-not-followed", "to what is no regular file"),
            LinkFault::NotToml => (
                "symlink-not-followed",
                "to a file whose name does not end in .toml",
            ),
        };
        Finding::error(code, format!("this link leads {what}")).hint(
            "links are followed to .toml files of the same repository (without a repository: of \
             the same routing directory), and nowhere else",
        )
    }
}

/// Why following a path ended early.
#[derive(Debug)]
pub(crate) enum FollowError {
    Fault(LinkFault),
    /// What is on the way could not be read.
    Failed(Error),
}

/// Follows a path from a directory, both with `/` between their parts, through
/// all links. `look` says what stands at a path from the top. Gives the path
/// from the top to what was found, which is no link.
pub(crate) fn follow_links(
    from: &str,
    path: &str,
    look: &mut dyn FnMut(&str) -> Result<PathNode, Error>,
) -> Result<(String, PathNode), FollowError> {
    let fault = |fault| Err(FollowError::Fault(fault));
    let mut at: Vec<String> = path_parts(from).collect();
    let mut ahead: Vec<String> = path_parts(path).rev().collect();
    let mut node = PathNode::Directory;
    let (mut links, mut steps) = (0, 0);
    while let Some(part) = ahead.pop() {
        steps += 1;
        if node != PathNode::Directory {
            return fault(LinkFault::Nowhere);
        }
        if links > MAX_LINKS || steps > MAX_STEPS {
            return fault(LinkFault::Loop);
        }
        if part == ".." {
            if at.pop().is_none() {
                return fault(LinkFault::Outside);
            }
            continue;
        }
        if part.eq_ignore_ascii_case(".git") {
            return fault(LinkFault::GitDirectory);
        }
        at.push(part);
        node = look(&at.join("/")).map_err(FollowError::Failed)?;
        match node {
            PathNode::Missing => return fault(LinkFault::Nowhere),
            PathNode::Repository => return fault(LinkFault::OtherRepository),
            PathNode::Link(target) if target.starts_with('/') => return fault(LinkFault::Outside),
            PathNode::Link(target) => {
                at.pop();
                ahead.extend(path_parts(&target).rev());
            }
            PathNode::LinkFromTop(target) => {
                at.clear();
                ahead.extend(path_parts(&target).rev());
            }
            other @ (PathNode::File | PathNode::Directory | PathNode::Special) => {
                node = other;
                continue;
            }
        }
        links += 1;
        node = PathNode::Directory;
    }
    Ok((at.join("/"), node))
}

/// The file that a link stands for, as a path from the top; `link` is the path
/// of the link itself.
pub(crate) fn linked_file(
    link: &str,
    look: &mut dyn FnMut(&str) -> Result<PathNode, Error>,
) -> Result<String, FollowError> {
    let (path, node) = follow_links("", link, look)?;
    let fault = match node {
        PathNode::File if is_toml(link) && !is_toml(&path) => LinkFault::NotToml,
        PathNode::File => return Ok(path),
        PathNode::Directory => LinkFault::Directory,
        _ => LinkFault::Special,
    };
    Err(FollowError::Fault(fault))
}

/// Whether a file of this name is a routing file: the ending counts in any
/// case, as it does for the file systems that know no case.
pub(crate) fn is_toml(path: &str) -> bool {
    let ending = path.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

/// What a directory among routing files is that is a git repository of its
/// own: none of its files are in the commits of the one around it.
pub(crate) fn nested_repository() -> Finding {
    let message = "this directory is a git repository of its own: its files are not in the \
                   commits of this one";
    Finding::error("nested-repository", message)
        .hint("name it with --routing, or move its files out of it")
}

/// What is wrong with a tree that nobody wrote by hand.
pub(crate) fn too_many_files() -> Finding {
    let message = format!(
        "there are more than {MAX_ENTRIES} files and directories, {MAX_SYMLINKS} links or \
         {MAX_DEPTH} levels of directories"
    );
    Finding::error("too-many-files", message).hint("keep other files outside of it")
}

/// Why a file is not read.
pub(crate) fn too_long() -> String {
    format!("it is longer than {} MiB", MAX_FILE_BYTES >> 20)
}

fn path_parts(path: &str) -> impl DoubleEndedIterator<Item = String> {
    let parts = path.split('/').map(str::to_owned);
    parts.filter(|part| !part.is_empty() && part != ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(path: &str) -> Result<PathNode, Error> {
        Ok(match path {
            "routing" | "shared" | "shared/deep" => PathNode::Directory,
            "shared/a.toml" | "shared/deep/b.toml" | "secrets" => PathNode::File,
            "routing/a.toml" => PathNode::Link("../shared/a.toml".to_owned()),
            "routing/two.toml" => PathNode::Link("./a.toml".to_owned()),
            "routing/top.toml" => PathNode::LinkFromTop("shared/a.toml".to_owned()),
            "routing/round.toml" => PathNode::Link("round.toml".to_owned()),
            "routing/up.toml" => PathNode::Link("../../x.toml".to_owned()),
            "routing/root.toml" => PathNode::Link("/etc/x.toml".to_owned()),
            "routing/config.toml" => PathNode::Link("../.GIT/config".to_owned()),
            "routing/sub.toml" => PathNode::Link("../sub/x.toml".to_owned()),
            "routing/dir.toml" => PathNode::Link("../shared".to_owned()),
            "routing/through.toml" => PathNode::Link("../shared/a.toml/../a.toml".to_owned()),
            "routing/secrets.toml" | "routing/secrets" => PathNode::Link("../secrets".to_owned()),
            "routing/pipe.toml" => PathNode::Special,
            "sub" => PathNode::Repository,
            _ => PathNode::Missing,
        })
    }

    fn linked(link: &str) -> Result<String, LinkFault> {
        linked_file(link, &mut look).map_err(|stop| match stop {
            FollowError::Fault(fault) => fault,
            FollowError::Failed(error) => panic!("{error}"),
        })
    }

    #[test]
    fn links_are_followed_within_the_repository_and_nowhere_else() {
        let file = "shared/a.toml".to_owned();
        for link in ["routing/a.toml", "routing/two.toml", "routing/top.toml"] {
            assert_eq!(linked(link), Ok(file.clone()), "{link}");
        }
        assert_eq!(linked("routing/secrets"), Ok("secrets".to_owned()));
        for (link, fault) in [
            ("routing/round.toml", LinkFault::Loop),
            ("routing/up.toml", LinkFault::Outside),
            ("routing/root.toml", LinkFault::Outside),
            ("routing/config.toml", LinkFault::GitDirectory),
            ("routing/sub.toml", LinkFault::OtherRepository),
            ("routing/dir.toml", LinkFault::Directory),
            ("routing/through.toml", LinkFault::Nowhere),
            ("routing/secrets.toml", LinkFault::NotToml),
            ("routing/pipe.toml", LinkFault::Special),
            ("routing/gone.toml", LinkFault::Nowhere),
        ] {
            assert_eq!(linked(link), Err(fault), "{link}");
        }
    }

    #[test]
    fn links_that_multiply_end() {
        let mut look = |path: &str| match path.len() {
            1 => Ok(PathNode::Link("a/".repeat(900))),
            _ => Ok(PathNode::Directory),
        };
        let followed = follow_links("", "a", &mut look);
        assert!(matches!(followed, Err(FollowError::Fault(LinkFault::Loop))));
    }

    #[test]
    fn the_ending_counts_in_any_case() {
        assert!(is_toml("routing/Numbers.TOML") && is_toml("a.b.Toml") && is_toml(".toml"));
        assert!(!is_toml("toml") && !is_toml("a.toml.bak") && !is_toml("a.toml/b"));
    }
}
