//! README and `docs/` are true: their commands are run, what they name exists,
//! their links lead somewhere.

mod blocks;
mod command_lists;
mod first_steps;
mod links;
mod named_commands;
mod sentences;
mod sessions;
