//! What each file under `src` defines and names: read with a parser of Rust,
//! so that every form of `use` and of path counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, UseTree};

/// A path from the crate's root: `["source", "parse", "reader"]`.
pub type ModulePath = Vec<String>;

/// The sources of a crate, tests left out.
#[derive(Default)]
pub struct SourceMap {
    /// File by module; an inline module counts to the file that it stands in.
    modules: BTreeMap<ModulePath, String>,
    /// What is defined or imported under a name in a module.
    names: BTreeMap<(ModulePath, String), Named>,
    /// The paths whose names a module takes in with `*`.
    globs: BTreeMap<ModulePath, Vec<Vec<String>>>,
    /// Every type that is defined: name and file.
    pub types: Vec<(String, String)>,
    /// Every function that we name: not those that a trait names.
    pub functions: Vec<String>,
    /// Which file names what of which other, with the path as written.
    pub arrows: BTreeMap<(String, String), String>,
    /// The code of each file, tests and comments left out, as tokens.
    pub files: BTreeMap<String, String>,
}

#[derive(Clone)]
enum Named {
    /// Defined there.
    Here,
    /// Imported from that path.
    From(Vec<String>),
}

impl SourceMap {
    pub fn read(src: &Path) -> SourceMap {
        let mut map = SourceMap::default();
        let mut parsed = Vec::new();
        map.parse(src, &src.join("lib.rs"), &mut Vec::new(), &mut parsed);
        for (file, module, items) in &parsed {
            map.define(file, module, items);
        }
        for (file, module, items) in &parsed {
            let mut finder = Finder {
                map: &map,
                file,
                module: module.clone(),
                found: BTreeMap::new(),
            };
            items.iter().for_each(|item| finder.visit_item(item));
            let found = finder.found;
            map.arrows.extend(
                found
                    .into_iter()
                    .map(|(to, path)| ((file.clone(), to), path)),
            );
        }
        map
    }

    /// Parses a file and, where it declares them, those of its modules.
    fn parse(
        &mut self,
        src: &Path,
        path: &Path,
        module: &mut ModulePath,
        parsed: &mut Vec<(String, ModulePath, Vec<Item>)>,
    ) {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let ast = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = path
            .strip_prefix(src)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let items: Vec<Item> = ast
            .items
            .into_iter()
            .filter(|item| !of_tests(item))
            .collect();
        self.modules.insert(module.clone(), file.clone());
        let mut dir: PathBuf = src.to_owned();
        dir.extend(module.iter());
        for item in &items {
            let Item::Mod(inner) = item else { continue };
            if inner.content.is_some() {
                continue;
            }
            let name = inner.ident.to_string();
            let own = dir.join(format!("{name}.rs"));
            let path = if own.exists() {
                own
            } else {
                dir.join(&name).join("mod.rs")
            };
            module.push(name);
            self.parse(src, &path, module, parsed);
            module.pop();
        }
        let mut functions = FunctionNames::default();
        items.iter().for_each(|item| functions.visit_item(item));
        self.functions.extend(functions.0);
        let tokens: Vec<String> = items.iter().map(spelled).collect();
        self.files.insert(file.clone(), tokens.join("\n"));
        parsed.push((file, module.clone(), items));
    }

    /// Takes in the names that the items give to their module.
    fn define(&mut self, file: &str, module: &ModulePath, items: &[Item]) {
        for item in items {
            if let Item::Use(import) = item {
                for (mut path, name) in leaves(&import.tree) {
                    if name == "*" {
                        path.pop();
                        self.globs.entry(module.clone()).or_default().push(path);
                        continue;
                    }
                    self.names.insert((module.clone(), name), Named::From(path));
                }
                continue;
            }
            let mut types = TypeNames::default();
            types.visit_item(item);
            self.types
                .extend(types.0.into_iter().map(|name| (name, file.to_owned())));
            let name = match item {
                Item::Mod(inner) => {
                    if let Some((_, items)) = &inner.content {
                        let mut path = module.clone();
                        path.push(inner.ident.to_string());
                        self.modules.insert(path.clone(), file.to_owned());
                        self.define(file, &path, items);
                    }
                    continue;
                }
                Item::Struct(it) => &it.ident,
                Item::Enum(it) => &it.ident,
                Item::Union(it) => &it.ident,
                Item::Trait(it) => &it.ident,
                Item::Type(it) => &it.ident,
                Item::Fn(it) => &it.sig.ident,
                Item::Const(it) => &it.ident,
                Item::Static(it) => &it.ident,
                _ => continue,
            };
            self.names
                .insert((module.clone(), name.to_string()), Named::Here);
        }
    }

    /// The file that defines what a path names, seen from a module; `None` for
    /// what is not of this crate, and for a directory of modules as such.
    fn target(&self, module: &ModulePath, path: &[String], depth: u8) -> Option<String> {
        let (first, rest) = path.split_first()?;
        if depth > 16 {
            return None;
        }
        let mut at = module.clone();
        let mut rest = rest;
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
                while let Some(("super", more)) = rest.split_first().map(|(a, b)| (a.as_str(), b)) {
                    at.pop();
                    rest = more;
                }
            }
            _ => rest = path,
        }
        let relative = rest.len() == path.len();
        for (i, name) in rest.iter().enumerate() {
            let mut inner = at.clone();
            inner.push(name.clone());
            if self.modules.contains_key(&inner) {
                at = inner;
                continue;
            }
            return match self.names.get(&(at.clone(), name.clone())) {
                Some(Named::Here) if relative && i == 0 => None,
                Some(Named::Here) => self.modules.get(&at).cloned(),
                Some(Named::From(from)) => {
                    let path: Vec<String> = from.iter().chain(&rest[i + 1..]).cloned().collect();
                    self.target(&at, &path, depth + 1)
                }
                None if name == "*" => self.modules.get(&at).cloned(),
                None if relative && i == 0 => {
                    let globs = self.globs.get(module).into_iter().flatten();
                    globs.into_iter().find_map(|glob| {
                        let path: Vec<String> = glob.iter().chain(path).cloned().collect();
                        self.target(module, &path, depth + 1)
                    })
                }
                // A variant, an associated function.
                None => self.modules.get(&at).cloned(),
            };
        }
        let file = self.modules.get(&at)?;
        (!file.ends_with("mod.rs")).then(|| file.clone())
    }
}

/// Finds what the code of one file names.
struct Finder<'a> {
    map: &'a SourceMap,
    file: &'a str,
    module: ModulePath,
    found: BTreeMap<String, String>,
}

impl Finder<'_> {
    fn name(&mut self, path: &[String]) {
        if let Some(to) = self.map.target(&self.module, path, 0)
            && to != self.file
        {
            self.found.entry(to).or_insert_with(|| path.join("::"));
        }
    }

    /// Paths within the arguments of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.end(&mut path);
                    colons = 0;
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Vec<String>) {
        if path.len() > 1 {
            self.name(path);
        }
        path.clear();
    }
}

impl<'ast> Visit<'ast> for Finder<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !of_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, inner: &'ast syn::ItemMod) {
        self.module.push(inner.ident.to_string());
        visit::visit_item_mod(self, inner);
        self.module.pop();
    }

    fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
        // What a module offers of its own children is no use of them.
        let offers = !matches!(import.vis, syn::Visibility::Inherited);
        for (path, _) in leaves(&import.tree) {
            let own = match path[0].as_str() {
                "crate" => path[1..].starts_with(&self.module),
                "self" => true,
                "super" => false,
                child => {
                    let mut inner = self.module.clone();
                    inner.push(child.to_owned());
                    self.map.modules.contains_key(&inner)
                }
            };
            if !(offers && own) {
                self.name(&path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        if names.len() > 1 {
            self.name(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, mac: &'ast syn::Macro) {
        visit::visit_macro(self, mac);
        self.tokens(mac.tokens.clone());
    }
}

/// The names of all types that an item defines, those inside functions too.
#[derive(Default)]
struct TypeNames(Vec<String>);

impl<'ast> Visit<'ast> for TypeNames {
    fn visit_item(&mut self, item: &'ast Item) {
        if of_tests(item) {
            return;
        }
        match item {
            Item::Struct(it) => self.0.push(it.ident.to_string()),
            Item::Enum(it) => self.0.push(it.ident.to_string()),
            Item::Union(it) => self.0.push(it.ident.to_string()),
            Item::Trait(it) => self.0.push(it.ident.to_string()),
            Item::Type(it) => self.0.push(it.ident.to_string()),
            // Its items are taken in with the module.
            Item::Mod(_) => return,
            _ => {}
        }
        visit::visit_item(self, item);
    }
}

/// The names of all functions and methods, but for those of a trait that is
/// implemented.
#[derive(Default)]
struct FunctionNames(Vec<String>);

impl<'ast> Visit<'ast> for FunctionNames {
    fn visit_item(&mut self, item: &'ast Item) {
        let of_a_trait = matches!(item, Item::Impl(it) if it.trait_.is_some());
        if !of_tests(item) && !of_a_trait {
            visit::visit_item(self, item);
        }
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.0.push(signature.ident.to_string());
    }
}

/// The paths that a tree of `use` names, each with the name that it gets.
fn leaves(tree: &UseTree) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, String)>) {
    let with = |path: &Vec<String>, name: &syn::Ident| {
        let mut path = path.clone();
        if name != "self" {
            path.push(name.to_string());
        }
        path
    };
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            collect(&inner.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) => {
            let path = with(path, &name.ident);
            let last = path.last().cloned().unwrap_or_default();
            found.push((path, last));
        }
        UseTree::Rename(name) => found.push((with(path, &name.ident), name.rename.to_string())),
        UseTree::Glob(_) => {
            let mut path = path.clone();
            path.push("*".to_owned());
            found.push((path, "*".to_owned()));
        }
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| collect(tree, path, found)),
    }
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Const(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        _ => &[],
    }
}

/// Whether an item is compiled for tests only.
fn of_tests(item: &Item) -> bool {
    attributes(item).iter().any(|attribute| {
        let meta = attribute.meta.require_list();
        attribute.path().is_ident("cfg") && meta.is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// An item as text, without its comments.
fn spelled(item: &Item) -> String {
    struct Idents(String);
    impl<'ast> Visit<'ast> for Idents {
        fn visit_item(&mut self, item: &'ast Item) {
            if !of_tests(item) {
                visit::visit_item(self, item);
            }
        }
        fn visit_item_use(&mut self, import: &'ast syn::ItemUse) {
            for (path, _) in leaves(&import.tree) {
                self.0 += &path.join("::");
                self.0.push('\n');
            }
        }
        fn visit_path(&mut self, path: &'ast syn::Path) {
            let names: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
            self.0 += &names.join("::");
            self.0.push('\n');
            visit::visit_path(self, path);
        }
        fn visit_macro(&mut self, mac: &'ast syn::Macro) {
            let name = mac.path.segments.last().map(|last| last.ident.to_string());
            self.0 += &name.unwrap_or_default();
            self.0 += "!\n";
            self.0 += &mac.tokens.to_string().replace(' ', "");
            self.0.push('\n');
        }
    }
    let mut idents = Idents(String::new());
    idents.visit_item(item);
    idents.0
}

/// Groups of files that name each other in a circle.
pub fn circles(arrows: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let files: BTreeSet<&String> = arrows.iter().flat_map(|(a, b)| [a, b]).collect();
    let reach = |from: &String| {
        let mut seen: BTreeSet<&String> = BTreeSet::new();
        let mut open = vec![from];
        while let Some(file) = open.pop() {
            for (_, to) in arrows.iter().filter(|(a, _)| a == file) {
                if seen.insert(to) {
                    open.push(to);
                }
            }
        }
        seen
    };
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        files.iter().map(|file| (*file, reach(file))).collect();
    let mut found = BTreeSet::new();
    for file in &files {
        let circle: Vec<String> = reached[file]
            .iter()
            .filter(|other| reached[*other].contains(file))
            .map(|other| (*other).clone())
            .collect();
        if !circle.is_empty() {
            found.insert(circle);
        }
    }
    found.into_iter().collect()
}
