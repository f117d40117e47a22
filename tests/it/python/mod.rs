//! The Python package: built as a wheel, installed in an environment of its
//! own, held against the command, and run as services run it.

mod conformance;
mod dispatch;
mod live;
mod package;
mod page;
mod robust;
mod service;
mod speed;
mod states;
mod stopped;
mod surroundings;
mod versions;
mod wheel;
mod world;

use package::package;
