//! The control protocol as its source describes it: requests, answers, events, error codes, each with its doc comment.
//!
//! The types say more than their values at run time: which members may be missing, and what each is for. So the
//! sources of `zmes-shared` are read as Rust, the way rustdoc would.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the grammar of Rust is foreign, and most of it is none of ours"
)]

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use syn::{Attribute, Expr, Fields, GenericArgument, Item, Lit, Meta, Pat, PathArguments, Type, UnOp};
use zmes_tests::repository;

use crate::roff::{Roff, bold};

/// Maximum number of words of an enum that are listed with a member.
const SHOWN: usize = 8;

/// The sources of the contract.
pub(crate) struct Contract {
    items: Vec<(String, Item)>,
}

impl Contract {
    /// Reads `shared/src`.
    pub(crate) fn read() -> Result<Self> {
        let top = repository()?.join("shared/src");
        let mut items = Vec::new();
        for directory in ["", "control", "views"] {
            let mut files: Vec<_> =
                fs::read_dir(top.join(directory))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
            files.sort();
            for file in
                files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
            {
                let parsed = syn::parse_file(&without_macro(&fs::read_to_string(file)?))
                    .with_context(|| file.display().to_string())?;
                items.extend(parsed.items.into_iter().map(|item| (directory.to_owned(), item)));
            }
        }
        Ok(Self { items })
    }

    /// Returns a section for each request: purpose, access, members, answer.
    pub(crate) fn requests(&self) -> Result<String> {
        let mut roff = Roff::default();
        for variant in self.variants("Request")? {
            roff.line("SS", &[&wire(variant, &[])]);
            roff.text(&doc(&variant.attrs));
            roff.text(&self.access(&variant.ident.to_string())?);
            self.members(&mut roff, &variant.fields)?;
        }
        Ok(roff.source().to_owned())
    }

    /// Returns a section for each kind of object in answers.
    pub(crate) fn answers(&self) -> Result<String> {
        let mut roff = Roff::default();
        for (directory, item) in &self.items {
            if let ("views", Item::Struct(view)) = (directory.as_str(), item) {
                self.object(&mut roff, &view.ident.to_string())?;
            }
        }
        for name in self.named_by_requests()?.iter().map(String::as_str).chain(["ControlError"]) {
            self.object(&mut roff, name)?;
        }
        Ok(roff.source().to_owned())
    }

    /// Returns the objects that members of requests and answers are made of, and that are no answers themselves.
    fn named_by_requests(&self) -> Result<Vec<String>> {
        let own = |name: &str| {
            let mut items = self.items.iter().filter(|(directory, _)| directory == "control");
            items.any(|(_, item)| matches!(item, Item::Struct(found) if found.ident == name))
        };
        let mut members: Vec<&syn::Field> = Vec::new();
        for variant in self.variants("Request")? {
            for field in &variant.fields {
                match (&field.ident, self.structure(&leaf(&field.ty)?)) {
                    // The members of a request that has a type of its own.
                    (None, Some(inner)) => members.extend(&inner.fields),
                    (Some(_), _) | (None, None) => members.push(field),
                }
            }
        }
        for (directory, item) in &self.items {
            if let ("views", Item::Struct(view)) = (directory.as_str(), item) {
                members.extend(&view.fields);
            }
        }
        let mut found = Vec::new();
        for member in members.into_iter().filter(|member| !told(&member.attrs, "flatten")) {
            let name = leaf(&member.ty)?;
            if own(&name) && !found.contains(&name) {
                found.push(name);
            }
        }
        Ok(found)
    }

    /// Returns a section for each type of event in the stream of `watch`.
    pub(crate) fn events(&self) -> Result<String> {
        let mut roff = Roff::default();
        for variant in self.variants("WatchKind")? {
            roff.line("SS", &[&wire(variant, &[])]);
            roff.text(&doc(&variant.attrs));
            self.members(&mut roff, &variant.fields)?;
        }
        self.object(&mut roff, "WatchedToken")?;
        Ok(roff.source().to_owned())
    }

    /// Returns one paragraph for each error code.
    pub(crate) fn errors(&self) -> Result<String> {
        let mut roff = Roff::default();
        for variant in self.variants("ErrorCode")? {
            roff.tagged(&bold(&wire(variant, &[])), &doc(&variant.attrs));
        }
        Ok(roff.source().to_owned())
    }

    /// Returns one paragraph for each word that a member can have, grouped by type.
    pub(crate) fn words(&self) -> Result<String> {
        let mut roff = Roff::default();
        for (directory, item) in &self.items {
            let Item::Enum(words) = item else { continue };
            let name = words.ident.to_string();
            let plain = words.variants.iter().all(|variant| variant.fields.is_empty());
            // Access is for the daemon alone, and error codes have a section of their own.
            let said = plain && !["Access", "ErrorCode"].contains(&name.as_str());
            if said && (!directory.is_empty() || self.is_member(&name)) {
                roff.line("SS", &[&name]);
                for variant in self.variants(&name)? {
                    roff.tagged(&bold(&wire(variant, &words.attrs)), &doc(&variant.attrs));
                }
            }
        }
        Ok(roff.source().to_owned())
    }

    /// Returns the variants of an enum, except the one for unknown words of a newer peer.
    fn variants(&self, name: &str) -> Result<Vec<&syn::Variant>> {
        let found = self.enumeration(name).with_context(|| format!("no enum {name} in shared/src"))?;
        let newer = |variant: &&syn::Variant| {
            variant.ident == "Unknown" && doc(&variant.attrs).contains("of a newer ")
        };
        Ok(found.variants.iter().filter(|variant| !newer(variant) || name == "MonitorState").collect())
    }

    /// Says whether members of requests, answers or events are of this type.
    fn is_member(&self, name: &str) -> bool {
        for (_, item) in self.items.iter().filter(|(directory, _)| !directory.is_empty()) {
            let fields: Vec<&syn::Field> = match item {
                Item::Struct(found) => found.fields.iter().collect(),
                Item::Enum(found) => found.variants.iter().flat_map(|variant| &variant.fields).collect(),
                _ => Vec::new(),
            };
            for field in fields {
                if leaf(&field.ty).is_ok_and(|found| found == name) {
                    return true;
                }
            }
        }
        false
    }

    fn enumeration(&self, name: &str) -> Option<&syn::ItemEnum> {
        self.items.iter().find_map(|(_, item)| match item {
            Item::Enum(found) if found.ident == name => Some(found),
            _ => None,
        })
    }

    fn structure(&self, name: &str) -> Option<&syn::ItemStruct> {
        self.items.iter().find_map(|(_, item)| match item {
            Item::Struct(found) if found.ident == name => Some(found),
            _ => None,
        })
    }

    fn object(&self, roff: &mut Roff, name: &str) -> Result<()> {
        let found = self.structure(name).with_context(|| format!("no struct {name} in shared/src"))?;
        roff.line("SS", &[name]);
        roff.text(&doc(&found.attrs));
        self.members(roff, &found.fields)
    }

    /// Writes a paragraph for each member, including those of flattened structs.
    fn members(&self, roff: &mut Roff, fields: &Fields) -> Result<()> {
        for field in fields {
            let Some(name) = &field.ident else {
                // The members of a request that has a type of its own.
                let inner = self.structure(&leaf(&field.ty)?).context("a type without source")?;
                self.members(roff, &inner.fields)?;
                continue;
            };
            if told(&field.attrs, "flatten") {
                let inner = self.structure(&leaf(&field.ty)?).context("a type without source")?;
                self.members(roff, &inner.fields)?;
                continue;
            }
            let (kind, nullable) = self.kind(&field.ty)?;
            let presence =
                match (told(&field.attrs, "skip_serializing_if"), told(&field.attrs, "default"), nullable) {
                    (true, _, _) | (_, true, true) => ", may be missing",
                    (false, true, false) => match kind.as_str() {
                        "boolean" => ", false where missing",
                        "number" => ", 0 where missing",
                        _ => ", empty where missing",
                    },
                    (false, false, true) => " or null",
                    (false, false, false) => "",
                };
            let tag = format!("{} ({kind}{presence})", bold(&name.to_string()));
            roff.tagged(&tag, &doc(&field.attrs));
        }
        Ok(())
    }

    /// Returns what JSON has for a type, and whether it may be null.
    fn kind(&self, kind: &Type) -> Result<(String, bool)> {
        let Type::Path(path) = kind else { bail!("a type that is not a name") };
        let last = path.path.segments.last().context("an empty path")?;
        let inner = || match &last.arguments {
            PathArguments::AngleBracketed(arguments) => match arguments.args.first() {
                Some(GenericArgument::Type(inner)) => self.kind(inner),
                _ => bail!("{}: not one type", last.ident),
            },
            _ => bail!("{}: no type", last.ident),
        };
        let name = last.ident.to_string();
        Ok(match name.as_str() {
            "Option" => (inner()?.0, true),
            "Box" => inner()?,
            "Vec" => (format!("array of {}", inner()?.0), false),
            "String" | "Reason" => ("string".to_owned(), false),
            "bool" => ("boolean".to_owned(), false),
            "u8" | "u16" | "u32" | "u64" | "i32" | "i64" | "usize" | "f64" | "MonitorId" | "EventId"
            | "SessionId" => ("number".to_owned(), false),
            "Timestamp" => ("time".to_owned(), false),
            "Value" => ("any JSON".to_owned(), false),
            "Since" => ("number of an event, or time".to_owned(), false),
            "SentencePart" => ("string or {\"time\": time}".to_owned(), false),
            "TokenSelection" => ("array of string, or TokenFilter".to_owned(), false),
            // The words of an enum are listed here, too; objects have their own section.
            _ => match self.enumeration(&name) {
                Some(words) => {
                    let known = self.variants(&name)?;
                    let words: Vec<_> = known.iter().map(|variant| wire(variant, &words.attrs)).collect();
                    // More than a line holds: they are where the name leads.
                    (if words.len() > SHOWN { name } else { words.join("|") }, false)
                }
                None => (name, false),
            },
        })
    }

    /// Returns the access of a request, as `Request::access` decides it.
    fn access(&self, request: &str) -> Result<String> {
        for (_, item) in &self.items {
            let Item::Impl(implementation) = item else { continue };
            for item in &implementation.items {
                let syn::ImplItem::Fn(function) = item else { continue };
                if function.sig.ident != "access" {
                    continue;
                }
                let Some(syn::Stmt::Expr(Expr::Match(decision), _)) = function.block.stmts.first() else {
                    bail!("Request::access is not one match");
                };
                let arm = decision.arms.iter().find(|arm| names(&arm.pat).iter().any(|name| name == request));
                let arm = arm.with_context(|| format!("Request::access says nothing of {request}"))?;
                return Ok(role(&arm.body));
            }
        }
        bail!("no Request::access in shared/src")
    }
}

/// Returns the source with each `words! { Name { Variant = "word", } }` as the enum that it declares.
fn without_macro(source: &str) -> String {
    let (mut plain, mut within) = (String::with_capacity(source.len()), false);
    for line in source.lines() {
        let trimmed = line.trim();
        let variant = trimmed.strip_suffix("\",").and_then(|line| line.split_once(" = \""));
        match (within, variant, trimmed.strip_suffix(" {")) {
            (false, _, _) if line == "words! {" => within = true,
            (true, _, _) if line == "}" => within = false,
            (true, Some((name, word)), _) => plain.extend(["#[serde(rename = \"", word, "\")]\n", name, ","]),
            (true, None, Some(name)) => plain.extend(["pub enum ", name, " {"]),
            _ => plain += line,
        }
        plain.push('\n');
    }
    plain
}

/// Returns the names of the variants of a pattern.
fn names(pattern: &Pat) -> Vec<String> {
    let last = |path: &syn::Path| path.segments.last().map(|segment| segment.ident.to_string());
    match pattern {
        Pat::Or(alternatives) => alternatives.cases.iter().flat_map(names).collect(),
        Pat::Path(path) => last(&path.path).into_iter().collect(),
        Pat::Struct(pattern) => last(&pattern.path).into_iter().collect(),
        Pat::TupleStruct(pattern) => last(&pattern.path).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Describes the access in words, if `Request::access` states it in one of its usual forms.
fn role(body: &Expr) -> String {
    let depends = "Whether an observer may ask it depends on its members.";
    match body {
        Expr::Block(block) => match block.block.stmts.first() {
            Some(syn::Stmt::Expr(expression, _)) => role(expression),
            _ => depends.to_owned(),
        },
        Expr::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Read") => {
            "Observers may ask it.".to_owned()
        }
        Expr::Path(_) => "Only admins may ask it.".to_owned(),
        Expr::Call(call) => match call.args.first() {
            Some(Expr::Unary(unary)) => {
                let Expr::Path(member) = &*unary.expr else { return depends.to_owned() };
                let Some(member) = member.path.get_ident() else { return depends.to_owned() };
                match unary.op {
                    UnOp::Not(_) => format!("Only admins may ask it; observers with `{member}`."),
                    UnOp::Deref(_) => format!("Observers may ask it; only admins with `{member}`."),
                    _ => depends.to_owned(),
                }
            }
            _ => depends.to_owned(),
        },
        _ => depends.to_owned(),
    }
}

/// Returns a doc comment as running text; links become plain names in bold.
fn doc(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        if let Meta::NameValue(value) = &attribute.meta
            && let Expr::Lit(literal) = &value.value
            && let Lit::Str(text) = &literal.lit
        {
            lines.push(text.value().trim().to_owned());
        }
    }
    // Text for readers of the code only.
    let whole = lines.join(" ");
    let whole = whole.split(" Prints without ").next().unwrap_or_default();
    let mut text = String::new();
    for (number, part) in whole.split("[`").enumerate() {
        match part.split_once("`]") {
            Some((link, rest)) if number > 0 => {
                let name = link.rsplit("::").next().unwrap_or(link);
                text = format!("{text}`{name}`{rest}");
            }
            Some(_) | None => text.push_str(part),
        }
    }
    text
}

/// Returns a serde attribute: `(rename_all, "lowercase")`, `(default, "")`.
fn serde(attributes: &[Attribute]) -> Vec<(String, String)> {
    let mut said = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
        // An attribute of another form says nothing that matters here.
        let read = attribute.parse_nested_meta(|meta| {
            let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
            let value =
                if meta.input.peek(syn::Token![=]) { meta.value()?.parse::<Lit>().ok() } else { None };
            let value = if let Some(Lit::Str(text)) = value { text.value() } else { String::new() };
            said.push((name, value));
            Ok(())
        });
        read.ok();
    }
    said
}

/// Says whether an item has this serde attribute.
fn told(attributes: &[Attribute], word: &str) -> bool {
    serde(attributes).iter().any(|(name, _)| name == word)
}

/// Returns a variant as it is on the wire; `attributes`: those of its enum.
fn wire(variant: &syn::Variant, attributes: &[Attribute]) -> String {
    if let Some((_, name)) = serde(&variant.attrs).into_iter().find(|(name, _)| name == "rename") {
        return name;
    }
    let lowercase =
        serde(attributes).iter().any(|(name, value)| name == "rename_all" && value == "lowercase");
    let name = variant.ident.to_string();
    if lowercase { name.to_lowercase() } else { snake(&name) }
}

/// Returns the name of a type, or of the type inside an `Option` or a `Vec`.
fn leaf(kind: &Type) -> Result<String> {
    let Type::Path(path) = kind else { bail!("a type that is not a name") };
    let last = path.path.segments.last().context("an empty path")?;
    if let PathArguments::AngleBracketed(arguments) = &last.arguments
        && let Some(GenericArgument::Type(inner)) = arguments.args.first()
    {
        return leaf(inner);
    }
    Ok(last.ident.to_string())
}

/// Returns a name in serde's `snake_case`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(character.to_lowercase());
    }
    snake
}

/// Returns the exit codes of `zmesctl`, from the doc comments of its enum.
pub(crate) fn exit_codes(file: &Path) -> Result<String> {
    let parsed = syn::parse_file(&fs::read_to_string(file)?)?;
    let mut roff = Roff::default();
    for item in &parsed.items {
        let Item::Enum(exits) = item else { continue };
        for variant in &exits.variants {
            let Some((_, Expr::Lit(number))) = &variant.discriminant else {
                bail!("{} has no number", variant.ident)
            };
            let Lit::Int(number) = &number.lit else { bail!("{} has no number", variant.ident) };
            roff.tagged(&bold(number.base10_digits()), &doc(&variant.attrs));
        }
    }
    ensure!(!roff.source().is_empty(), "no exit codes in {}", file.display());
    Ok(roff.source().to_owned())
}

#[test]
fn a_macro_of_words_is_an_enum() {
    let source = "words! {\n    /// Who.\n    Who {\n        /// A.\n        Amy = \"amy b\",\n    }\n}\n";
    let plain =
        "\n    /// Who.\npub enum Who {\n        /// A.\n#[serde(rename = \"amy b\")]\nAmy,\n    }\n\n";
    assert_eq!(without_macro(source), plain);
    assert_eq!(without_macro("fn f() {\n}\n"), "fn f() {\n}\n");
}

#[test]
fn a_doc_comment_loses_its_links() -> Result<()> {
    let item: syn::ItemStruct =
        syn::parse_str("/// Returns [`crate::views::Tokens`], in\n/// pages of `n`.\nstruct A;")?;
    assert_eq!(doc(&item.attrs), "Returns `Tokens`, in pages of `n`.");
    assert_eq!(snake("ClientsList"), "clients_list");
    Ok(())
}
