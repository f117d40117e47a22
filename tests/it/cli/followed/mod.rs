//! Every hint is told in a test, and followed there: read off the sources and
//! the tests with a parser of Rust.

mod applied;
mod calls;
mod database;
mod facts;
mod files;
mod guarded;
mod logins;
mod network;
mod plans;
mod postgres;
mod secrets;
mod sqlite;
mod states;
mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};

use super::run;
use crate::support::{Lkroute, hint_pieces, words_of};

/// Texts of the sources that tell somebody to do something, with the file of
/// each: all that is given to `.hint(…)` or stands in a function, a field or
/// a variable of that name, and what names a command, an option or a variable
/// elsewhere.
#[derive(Default)]
struct HintFinder {
    file: String,
    /// How deep in what makes a hint.
    hints: u32,
    /// Constants that are given to what makes a hint.
    constants: BTreeSet<String>,
    found: BTreeMap<String, Advice>,
}

/// A text of the sources.
#[derive(Default)]
struct Advice {
    file: String,
    /// It is given as a hint somewhere, or names a command: what only names an
    /// option or a variable may state a fact.
    is_hint: bool,
}

fn makes_hint(name: &syn::Ident) -> bool {
    let name = name.to_string();
    let whole = ["action", "remedy", "advice", "to_do"];
    name.to_lowercase().contains("hint") || whole.contains(&name.as_str())
}

impl HintFinder {
    fn inside(&mut self, is_hint: bool, visit: impl FnOnce(&mut Self)) {
        self.hints += u32::from(is_hint);
        visit(self);
        self.hints -= u32::from(is_hint);
    }

    fn take(&mut self, text: &str) {
        let is_help = text.contains("Examples:");
        let is_text = text.chars().filter(char::is_ascii_lowercase).count() > 5;
        let is_words = text.trim().contains(' ') && is_text && !is_help && !is_sql(text);
        if is_words && (self.hints > 0 || names_to_type(text)) {
            let advice = self.found.entry(words_of(text)).or_default();
            advice.file.clone_from(&self.file);
            advice.is_hint |= self.hints > 0 || text.contains("`lkroute ");
        }
    }

    /// The literals in what a macro is given.
    fn take_tokens(&mut self, tokens: proc_macro2::TokenStream) {
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.take_tokens(group.stream()),
                proc_macro2::TokenTree::Literal(literal) => {
                    if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                        self.take(&text.value());
                    }
                }
                _ => {}
            }
        }
    }
}

fn is_sql(text: &str) -> bool {
    let words = [
        "SELECT ",
        "UPDATE ",
        "INSERT ",
        "CREATE ",
        "DROP ",
        "CASE WHEN",
    ];
    words.iter().any(|word| text.contains(word))
}

/// Whether the text names a command, an option or a variable.
fn names_to_type(text: &str) -> bool {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_{".contains(c)));
    let words: Vec<&str> = words.collect();
    let is_variable = |word: &str| {
        let parts: Vec<&str> = word.split('_').collect();
        let upper = |part: &&str| part.chars().all(|c| c.is_ascii_uppercase());
        parts.len() > 1 && parts[0].len() > 1 && parts.iter().all(upper)
    };
    let is_option = |word: &str| word.len() > 3 && word.starts_with("--");
    text.contains("`lkroute ")
        || words
            .iter()
            .any(|word| is_option(word) || is_variable(word))
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let tokens = |list: &syn::MetaList| list.tokens.to_string().contains("test");
        attribute.path().is_ident("cfg") && attribute.meta.require_list().is_ok_and(tokens)
    })
}

impl<'ast> Visit<'ast> for HintFinder {
    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_mod(&mut self, inner: &'ast syn::ItemMod) {
        if !is_test(&inner.attrs) {
            visit::visit_item_mod(self, inner);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        let is_hint = makes_hint(&function.sig.ident);
        self.inside(is_hint, |finder| visit::visit_item_fn(finder, function));
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        let is_hint = makes_hint(&function.sig.ident);
        self.inside(is_hint, |finder| {
            visit::visit_impl_item_fn(finder, function);
        });
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        let is_hint = makes_hint(&item.ident) || self.constants.contains(&item.ident.to_string());
        self.inside(is_hint, |finder| visit::visit_item_const(finder, item));
    }

    fn visit_expr_path(&mut self, path: &'ast syn::ExprPath) {
        let name = path.path.segments.last();
        let name = name.map(|last| last.ident.to_string()).unwrap_or_default();
        let is_constant = name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        if self.hints > 0 && is_constant {
            self.constants.insert(name);
        }
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let is_hint = makes_hint(&call.method);
        // Of a complaint of `doctor`: its code, a message, and what to do.
        let name = call.method.to_string();
        let complains = ["problem", "note"].contains(&name.as_str()) && call.args.len() == 3;
        for (n, argument) in call.args.iter().enumerate() {
            let is_hint = is_hint || (complains && n == 2);
            self.inside(is_hint, |finder| finder.visit_expr(argument));
        }
    }

    /// The same in a row of a table.
    fn visit_expr_tuple(&mut self, row: &'ast syn::ExprTuple) {
        let of_code = |c: char| c.is_ascii_lowercase() || c == '-';
        let text = |cell: usize| match row.elems.get(cell) {
            Some(syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            })) => text.value(),
            _ => String::new(),
        };
        let (code, meaning) = (text(0), text(1));
        let is_row = !code.is_empty() && code.chars().all(of_code) && meaning.contains(' ');
        let advises = row.elems.len() == 3 && is_row;
        for (n, cell) in row.elems.iter().enumerate() {
            self.inside(advises && n == 2, |finder| finder.visit_expr(cell));
        }
    }

    fn visit_local(&mut self, local: &'ast syn::Local) {
        let mut named = NameFinder(false);
        named.visit_pat(&local.pat);
        self.inside(named.0, |finder| visit::visit_local(finder, local));
    }

    fn visit_field_value(&mut self, field: &'ast syn::FieldValue) {
        let is_hint = matches!(&field.member, syn::Member::Named(name) if makes_hint(name));
        self.inside(is_hint, |finder| visit::visit_field_value(finder, field));
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        self.take_tokens(mac.tokens.clone());
    }

    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.take(&text.value());
    }
}

/// Whether a pattern binds a hint.
struct NameFinder(bool);

impl<'ast> Visit<'ast> for NameFinder {
    fn visit_pat_ident(&mut self, name: &'ast syn::PatIdent) {
        self.0 |= makes_hint(&name.ident);
    }
}

/// The texts that tests look for as hints, and go on from; and those that they
/// look for as facts.
#[derive(Default)]
struct ToldFinder {
    found: Vec<String>,
    said: Vec<String>,
}

impl ToldFinder {
    fn take<'a>(&mut self, name: &syn::Ident, arguments: impl Iterator<Item = &'a syn::Expr>) {
        let found = match name.to_string().as_str() {
            "told" | "mends" | "mends_edit" => &mut self.found,
            "says" => &mut self.said,
            _ => return,
        };
        for argument in arguments {
            if let syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) = argument
            {
                found.push(words_of(&text.value()));
            }
        }
    }
}

impl<'ast> Visit<'ast> for ToldFinder {
    /// `let hint = "…"`, which is then given to one of these.
    fn visit_local(&mut self, local: &'ast syn::Local) {
        let mut named = NameFinder(false);
        named.visit_pat(&local.pat);
        let value = local.init.as_ref().filter(|_| named.0);
        if let Some(syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        })) = value.map(|value| &*value.expr)
        {
            self.found.push(words_of(&text.value()));
        }
        visit::visit_local(self, local);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(path) = &*call.func
            && let Some(last) = path.path.segments.last()
        {
            self.take(&last.ident, call.args.iter());
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.take(&call.method, call.args.iter());
        visit::visit_expr_method_call(self, call);
    }
}

fn parse_all(dir: &str, mut visit: impl FnMut(&str, &syn::File)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for entry in walkdir::WalkDir::new(root.join(dir)).sort_by_file_name() {
        let entry = entry.expect("an entry");
        let path = entry.path().strip_prefix(root).expect("below the root");
        let name = path.to_string_lossy().into_owned();
        if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("a text");
            let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            visit(&name, &parsed);
        }
    }
}

/// The texts behind `opening`, with the file of each.
fn texts_of_python(dir: &str, opening: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let mut found = Vec::new();
    for entry in fs::read_dir(root).expect("the directory") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "py") {
            let text = fs::read_to_string(&path).expect("a text");
            let pieces = text.split(opening).skip(1);
            let texts = pieces.filter_map(|piece| Some(words_of(piece.split_once('"')?.0)));
            found.extend(texts.map(|text| (path.display().to_string(), text)));
        }
    }
    assert!(found.len() > 3, "{found:?}");
    found
}

/// What a test may look for instead of the whole hint: a third of it at least.
fn is_told(hint: &str, told: &[String]) -> bool {
    told.iter()
        .any(|told| hint.contains(told.as_str()) && told.len() * 3 >= hint.len())
}

#[test]
fn every_hint_is_told_and_followed_in_a_test() {
    let mut hints = HintFinder::default();
    // Constants may stand before or behind the place that names them.
    for dir in ["src", "src", "python/src"] {
        parse_all(dir, |name, parsed| {
            let of_test = ["/tests", "samples", "fuzzing"]
                .iter()
                .any(|part| name.contains(part));
            if !of_test {
                hints.file = name.to_owned();
                hints.visit_file(parsed);
            }
        });
    }
    // The package's own stand in Python, and are told and followed there.
    for (file, text) in texts_of_python("python/lkroute", "hint=\"") {
        let advice = hints.found.entry(text).or_default();
        (advice.file, advice.is_hint) = (file, true);
    }
    let mut told = ToldFinder::default();
    parse_all("tests/it", |_, parsed| told.visit_file(parsed));
    let of_package = texts_of_python("python/tests", "told(\"");
    told.found
        .extend(of_package.into_iter().map(|(_, text)| text));
    assert!(hints.found.len() > 200, "{:#?}", hints.found.keys());
    let unfollowed = hints.found.iter().filter(|(text, advice)| {
        let is_said = !advice.is_hint && is_told(text, &told.said);
        !is_said && !is_told(text, &told.found)
    });
    let unfollowed: Vec<_> = unfollowed
        .map(|(text, advice)| (advice.is_hint, &advice.file, text))
        .collect();
    assert!(
        unfollowed.is_empty(),
        "{} hints that no test tells and follows (`Run::told`), or facts that none looks for \
         (`Run::says`): {unfollowed:#?}",
        unfollowed.len()
    );
}

#[test]
fn what_stands_for_anything_is_not_looked_for() {
    assert_eq!(
        hint_pieces("say `a {b}` or {}: { c = 1 }"),
        ["say `a", "` or", ": { c = 1 }"]
    );
}
