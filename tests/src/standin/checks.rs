//! Checks a request against a written contract and reports every violation, not only the first.

use serde_json::Value;

use super::request::Request;

/// Violations found so far.
#[derive(Debug, Default)]
pub struct Checks {
    findings: Vec<String>,
}

impl Checks {
    /// Returns the violations.
    pub(crate) fn findings(self) -> Vec<String> {
        self.findings
    }

    pub(crate) fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    pub(crate) fn add(&mut self, finding: impl Into<String>) {
        self.findings.push(finding.into());
    }

    /// Records `finding` unless `ok`. Returns `ok`.
    pub(crate) fn ensure(&mut self, ok: bool, finding: impl Into<String>) -> bool {
        if !ok {
            self.add(finding);
        }
        ok
    }

    /// Requires a header that must be present exactly once, and returns it.
    pub(crate) fn header<'a>(&mut self, request: &'a Request, name: &str) -> Option<&'a str> {
        let found = request.header_values(name);
        self.ensure(found.len() == 1, format!("header {name} is there {} times", found.len()));
        found.first().copied()
    }

    /// Requires a header with this value.
    pub(crate) fn header_is(&mut self, request: &Request, name: &str, expected: &str) {
        if let Some(found) = self.header(request, name) {
            self.ensure(found == expected, format!("header {name} is {found:?} instead of {expected:?}"));
        }
    }

    /// Requires a JSON body, by content type and by content.
    pub(crate) fn json(&mut self, request: &Request) -> Value {
        if let Some(kind) = self.header(request, "content-type") {
            let plain = kind.split(';').next().unwrap_or_default().trim();
            self.ensure(plain.eq_ignore_ascii_case("application/json"), format!("content-type {kind:?}"));
        }
        serde_json::from_slice(&request.body).unwrap_or_else(|error| {
            self.add(format!("the body is not JSON: {error}"));
            Value::Null
        })
    }

    /// Requires that the value at `pointer`, if present, is an object with all `required` members and otherwise only
    /// `optional` ones.
    pub(crate) fn shape(&mut self, body: &Value, pointer: &str, required: &[&str], optional: &[&str]) {
        let Some(found) = body.pointer(pointer) else { return };
        let Some(members) = found.as_object() else {
            return self.add(format!("{pointer:?} is not an object: {found}"));
        };
        for name in required {
            self.ensure(members.contains_key(*name), format!("{pointer}/{name} is missing"));
        }
        for name in members.keys() {
            let known = required.contains(&name.as_str()) || optional.contains(&name.as_str());
            self.ensure(known, format!("{pointer}/{name} is not part of the contract"));
        }
    }

    /// Requires that `holds` is true for the value at `pointer`, if present.
    pub(crate) fn value(
        &mut self,
        body: &Value,
        pointer: &str,
        what: &str,
        holds: impl FnOnce(&Value) -> bool,
    ) {
        if let Some(found) = body.pointer(pointer) {
            self.ensure(holds(found), format!("{pointer} is {found} instead of {what}"));
        }
    }

    /// Requires a non-empty string.
    pub(crate) fn text(&mut self, body: &Value, pointer: &str) {
        self.value(body, pointer, "a text", |found| found.as_str().is_some_and(|text| !text.is_empty()));
    }

    /// Requires a non-negative integer, as a number.
    pub(crate) fn count(&mut self, body: &Value, pointer: &str) {
        self.value(body, pointer, "a whole number", Value::is_u64);
    }

    /// Requires one of these strings.
    pub(crate) fn one_of(&mut self, body: &Value, pointer: &str, allowed: &[&str]) {
        let what = allowed.join(" or ");
        self.value(body, pointer, &what, |found| found.as_str().is_some_and(|text| allowed.contains(&text)));
    }

    /// Requires ids as a string, in decimal, separated by commas.
    pub(crate) fn ids(&mut self, body: &Value, pointer: &str) {
        self.value(body, pointer, "ids in a string", |found| {
            found.as_str().is_some_and(|text| text.split(',').all(is_number))
        });
    }

    /// Requires an object whose values are all strings.
    pub(crate) fn strings(&mut self, body: &Value, pointer: &str) {
        let Some(found) = body.pointer(pointer) else { return };
        let Some(members) = found.as_object() else {
            return self.add(format!("{pointer} is not an object: {found}"));
        };
        for (name, value) in members {
            self.ensure(value.is_string(), format!("{pointer}/{name} is not a string: {value}"));
        }
    }

    /// Requires a base64url JWS in compact form, without padding.
    pub(crate) fn compact_jwt(&mut self, token: &str) -> bool {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let parts: Vec<&str> = token.split('.').collect();
        let good = parts.len() == 3 && parts.iter().all(|part| !part.is_empty() && part.bytes().all(allowed));
        self.ensure(good, "the JWT is not three parts of unpadded base64url")
    }
}

/// Returns whether `text` consists only of decimal digits.
pub(crate) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
