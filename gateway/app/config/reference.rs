//! The reference of the configuration, made from its types so that it can't fall behind.

use std::fmt::Write;

use serde_json::Value;

use super::file::File;

/// The JSON Schema of the file, for editors.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(File).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "Schoolgate configuration".into());
    }
    schema
}

/// `docs/configuration.md`: every key with its type, its default and its meaning.
pub fn markdown() -> String {
    let schema = schema();
    let mut out = String::from(PREFACE);
    section(&mut out, &schema, &schema, "");
    out
}

const PREFACE: &str = "\
<!-- Made from the types in gateway/app/config by tests/docs.rs; run `just docs` after a change. -->

# Configuration

One YAML file. `schoolgate check-config --config FILE` reads it, and every file it names, and says \
what is wrong with line, column and remedy; the exit code is 2 if anything is. An annotated \
[example](examples/schoolgate.yaml) covers the common cases; \
[schema/config.schema.json](schema/config.schema.json) lets an editor complete and check it.

Booleans are `true` and `false` only. An unknown or repeated key is an error. Times are a number \
with `s`, `m`, `h` or `d` (`20s`); sizes a number with `KiB`, `MiB` or `GiB` (`35MiB`). Relative \
paths count from the folder of the file.
";

/// Writes the table of one object and then its inner objects, depth first.
fn section(out: &mut String, root: &Value, object: &Value, path: &str) {
    let object = resolved(root, object);
    if path.is_empty() {
        out.push_str("\n## The top level\n\n");
    } else {
        let _ = write!(out, "\n## `{path}`\n\n");
        let _ = writeln!(out, "{}\n", description(object));
    }
    out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
    let keys = properties(object);
    for (key, value) in &keys {
        row(out, root, object, (key, value));
    }
    for (key, value) in keys {
        let place = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        for (suffix, inner) in inner_objects(root, value) {
            section(out, root, inner, &format!("{place}{suffix}"));
        }
    }
}

fn properties(object: &Value) -> Vec<(&str, &Value)> {
    let map = object.get("properties").and_then(Value::as_object);
    map.into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect()
}

fn row(out: &mut String, root: &Value, object: &Value, (key, value): (&str, &Value)) {
    let required = object.get("required").and_then(Value::as_array);
    let is_required = required.is_some_and(|keys| keys.iter().any(|other| other == key));
    let default = match value.get("default") {
        _ if is_required => "required".to_owned(),
        None | Some(Value::Null | Value::Object(_)) => "—".to_owned(),
        Some(Value::String(text)) if text.len() > 60 => "a standard text".to_owned(),
        Some(Value::String(text)) => format!("`{text}`"),
        Some(other) => format!("`{}`", other.to_string().replace('"', "").replace(',', ", ")),
    };
    let meaning = cell(description(value));
    let _ = writeln!(out, "| `{key}` | {} | {default} | {meaning} |", kind(root, value));
}

/// What may stand there, in words.
fn kind(root: &Value, value: &Value) -> String {
    let value = present(value);
    if let Some(inner) = value.get("items") {
        return format!("list of {}", kind(root, inner));
    }
    if let Some(inner) = value.get("additionalProperties").filter(|inner| inner.is_object()) {
        return format!("map of {}", kind(root, inner));
    }
    let value = resolved(root, value);
    if value.get("properties").is_some() {
        return "object".to_owned();
    }
    if let Some(words) = variants(value) {
        return words;
    }
    if let Some(words) = value.get("format").and_then(Value::as_str)
        && !words.starts_with("uint")
    {
        return words.to_owned();
    }
    let types = value.get("type");
    match types.and_then(|types| types.as_str().or_else(|| types.get(0)?.as_str())) {
        Some("integer") => "number".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some(other) => other.replace("string", "text"),
        None => "value".to_owned(),
    }
}

/// The words of a closed list, or the kinds of an enum with contents.
fn variants(value: &Value) -> Option<String> {
    let word = |one: &Value| {
        let text = one.get("const").or_else(|| one.get("enum")?.get(0)).and_then(Value::as_str);
        let key = properties(one).first().map(|(key, _)| (*key).to_owned());
        text.map(str::to_owned).or(key).map(|word| format!("`{word}`"))
    };
    if let Some(list) = value.get("enum").and_then(Value::as_array) {
        let words: Vec<String> =
            list.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")).collect();
        return Some(words.join(", "));
    }
    let list = value.get("oneOf").and_then(Value::as_array)?;
    Some(list.iter().filter_map(word).collect::<Vec<_>>().join(", "))
}

/// Objects inside a value with what their path adds: `[]` for items, `.<name>` for maps.
fn inner_objects<'a>(root: &'a Value, value: &'a Value) -> Vec<(String, &'a Value)> {
    let value = present(value);
    if let Some(items) = value.get("items") {
        return prefixed("[]", inner_objects(root, items));
    }
    if let Some(inner) = value.get("additionalProperties").filter(|inner| inner.is_object()) {
        return prefixed(".<name>", inner_objects(root, inner));
    }
    let value = resolved(root, value);
    if value.get("properties").is_some() {
        return vec![(String::new(), value)];
    }
    let list = value.get("oneOf").and_then(Value::as_array);
    let variants = list.into_iter().flatten().flat_map(properties);
    variants
        .flat_map(|(key, inner)| prefixed(&format!(".{key}"), inner_objects(root, inner)))
        .collect()
}

fn prefixed<'a>(prefix: &str, objects: Vec<(String, &'a Value)>) -> Vec<(String, &'a Value)> {
    objects.into_iter().map(|(path, object)| (format!("{prefix}{path}"), object)).collect()
}

/// An optional value without its `null`.
fn present(value: &Value) -> &Value {
    let options = value.get("anyOf").and_then(Value::as_array);
    let is_null = |one: &&Value| one.get("type").and_then(Value::as_str) == Some("null");
    options.and_then(|list| list.iter().find(|one| !is_null(one))).unwrap_or(value)
}

/// Follows `$ref` into the definitions.
fn resolved<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let name = value.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next());
    name.and_then(|name| root.get("$defs")?.get(name)).unwrap_or(value)
}

fn description(value: &Value) -> &str {
    value.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// Text that fits into one cell of a table.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}
