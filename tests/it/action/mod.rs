//! The GitHub action and the documented workflows: their steps, as they stand,
//! with real repositories and a stand-in for GitHub's API.

mod approved;
mod comments;
mod expression;
mod github;
mod gitlab;
mod install;
mod rules;
mod runner;
mod scripts;
mod workflows;
mod world;
