//! Where a call goes, and why, as people read it. Imports core and what draws
//! text.

pub(crate) mod style;

use crate::invisible_chars::visible;
use crate::resolve::{Choice, Outcome, Resolution, Step, Verdict};
use style::{ADDED, BOLD, CHANGED, DIM, ERROR, NOTED, paint};

/// The answer; with `explain` each step that led to it.
pub fn text(resolution: &Resolution, explain: bool, width: usize) -> String {
    let mut parts = Vec::new();
    if let Ok(outcome) = &resolution.outcome {
        parts.push(answer(resolution, outcome));
    }
    let told = |step: &&Step| explain || matches!(step.verdict, Verdict::Fallback);
    let steps: Vec<&Step> = resolution.trace.iter().filter(told).collect();
    let title = if explain { "How" } else { "Note" };
    if !steps.is_empty() {
        let drawn: String = steps.iter().map(|step| draw(step, width)).collect();
        parts.push(format!("{}\n{drawn}", paint(BOLD, title)));
    }
    parts.join("\n")
}

fn answer(resolution: &Resolution, outcome: &Outcome) -> String {
    let route = &outcome.route;
    let tenant = outcome.tenant.as_ref().map(|tenant| tenant.label());
    let of = tenant.map_or(String::new(), |tenant| format!(" of {tenant}"));
    let environment = resolution.query.environment.as_ref();
    let within = environment.map_or(String::new(), |name| format!(" in {name}"));
    let to = match &route.config {
        Some(config) => format!("config {}", config.name),
        None => format!("the {}", route.source.as_str()),
    };
    let title = visible(&format!("{}{of}{within}: {to}", resolution.query.from));
    let mut text = paint(BOLD, title) + "\n";
    let mut line = |name: &str, value: Option<&str>, note: &str| {
        let Some(value) = value else { return };
        let (value, note) = (visible(value), visible(note));
        let row = format!("  {name:<8} {value:<36} {}", paint(DIM, &note));
        text += &format!(
            "{}\n",
            if note.is_empty() {
                row_of(name, &value)
            } else {
                row
            }
        );
    };
    line("source", Some(route.source.as_str()), "");
    line("region", route.region.as_deref(), "");
    let id = route.config.as_ref().and_then(|config| config.id);
    line("id", id.map(|id| id.to_string()).as_deref(), "");
    line("server", route.url.as_deref(), "");
    line("api key", route.api_key.as_deref(), "");
    line("secret", route.secret.map(|state| state.as_str()), "");
    line("trunk", Some(route.trunk_label()), from(&route.trunk));
    line("worker", Some(route.worker_label()), from(&route.worker));
    let deployment = route.deployment.as_deref();
    line("deployed", deployment, "deployment of the config");
    let fallback = route.fallback.as_ref();
    line(
        "fallback",
        fallback.map(|fallback| fallback.config.name.as_str()),
        "where the server can't be reached",
    );
    line("carrier", outcome.provider.as_deref(), "");
    if let Some(to) = &outcome.to {
        let country = to
            .country
            .map_or(String::new(), |country| format!(", {country}"));
        line(
            "dials",
            Some(&to.formatted),
            &format!("for {}{country}", to.input),
        );
    }
    text
}

fn row_of(name: &str, value: &str) -> String {
    format!("  {name:<8} {value}")
}

fn from(choice: &Choice) -> &'static str {
    match choice.source.as_str() {
        "config" => "from the config",
        "rules" => "from the number's rules",
        "environment" => "from the environment",
        _ => "the default",
    }
}

/// Columns before the detail of a step.
const MARGIN: usize = 27;

fn draw(step: &Step, width: usize) -> String {
    let style = match step.verdict {
        Verdict::Found => ADDED,
        Verdict::Fallback => CHANGED,
        Verdict::Refused | Verdict::Failed => ERROR,
        Verdict::Note => NOTED,
        Verdict::Nothing | Verdict::PassedOver | Verdict::Shadowed | Verdict::Skipped => DIM,
    };
    let verdict = paint(style, format!("{:<12}", step.verdict.as_str()));
    let options = textwrap::Options::new(width.saturating_sub(MARGIN).max(20))
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    let detail = visible(&step.detail);
    let lines = textwrap::wrap(&detail, options);
    let detail = lines.join(&format!("\n{}", " ".repeat(MARGIN)));
    format!("  {:<12} {verdict}{detail}\n", step.topic.as_str())
}
