//! Where in a YAML text something stands: the path of keys at a line, and the lines to show.
//!
//! It reads block style by indentation, which is how configurations are written; inside `{…}` it
//! names the key before the brace. It only words errors: nothing is decided by it.

/// The path of keys at a line, such as `listeners[0].clients[1].lan`. Lines count from 1.
pub(super) fn path_at(source: &str, line: usize) -> String {
    let lines: Vec<&str> = source.lines().take(line).collect();
    let mut path = Vec::new();
    let mut indent = usize::MAX;
    for (index, text) in lines.iter().enumerate().rev() {
        for step in steps_of(text).into_iter().rev() {
            if step.indent >= indent {
                continue;
            }
            indent = step.indent;
            path.push(match step.key {
                Some(key) => key.to_owned(),
                None => format!("[{}]", items_before(&lines, index, indent)),
            });
        }
    }
    path.reverse();
    path.join(".").replace(".[", "[")
}

/// A key or a list dash, with the column at which it begins.
struct Step<'a> {
    indent: usize,
    key: Option<&'a str>,
}

/// The dash and the key of one line: `  - name: x` has both.
fn steps_of(line: &str) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    let mut rest = line.trim_start();
    let mut indent = line.len() - rest.len();
    while let Some(after) = rest.strip_prefix("- ") {
        steps.push(Step { indent, key: None });
        indent += rest.len() - after.trim_start().len();
        rest = after.trim_start();
    }
    if rest == "-" {
        steps.push(Step { indent, key: None });
    }
    if let Some((key, value)) = rest.split_once(':')
        && !key.is_empty()
        && (value.is_empty() || value.starts_with(' '))
        && !key.contains(['#', '"', '{', '[', ' '])
    {
        steps.push(Step { indent, key: Some(key) });
    }
    steps
}

/// How many items of the same list stand before the one at `index`.
fn items_before(lines: &[&str], index: usize, indent: usize) -> usize {
    let is_inside = |line: &&&str| {
        let text = line.trim_start();
        let own = line.len() - text.len();
        text.is_empty()
            || text.starts_with('#')
            || own > indent
            || (own == indent && text.starts_with('-'))
    };
    let is_item = |line: &&&str| {
        line.len() - line.trim_start().len() == indent && line.trim_start().starts_with('-')
    };
    lines.iter().take(index).rev().take_while(is_inside).filter(is_item).count()
}

/// The line with the one before it, and a caret under the column; both count from 1.
pub(super) fn snippet(source: &str, line: usize, column: usize) -> String {
    let width = line.to_string().len();
    let mut out = format!("{:width$} |\n", "");
    let first = line.saturating_sub(2);
    for (index, text) in source.lines().enumerate().take(line).skip(first) {
        out.push_str(&format!("{:>width$} | {text}\n", index + 1));
    }
    out.push_str(&format!("{:width$} | {:>column$}\n", "", "^"));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "\
school:
  name: Hill
  domains:
    - hill.example
    - dale.example
listeners:
  - name: exchange
    clients:
      - lan:
          networks: [192.0.2.0/24]
      # the second
      - own_certificate:
          names: [mail.hill.example]
  - name: copiers
    address: wrong
";

    #[test]
    fn names_the_keys_down_to_a_line() {
        for (line, path) in [
            (2, "school.name"),
            (5, "school.domains[1]"),
            (10, "listeners[0].clients[0].lan.networks"),
            (13, "listeners[0].clients[1].own_certificate.names"),
            (14, "listeners[1].name"),
            (15, "listeners[1].address"),
        ] {
            assert_eq!(path_at(SOURCE, line), path, "line {line}");
        }
    }

    #[test]
    fn shows_the_line_with_a_caret() {
        let shown = snippet(SOURCE, 15, 14);
        assert_eq!(
            shown,
            "   |\n14 |   - name: copiers\n15 |     address: wrong\n   |              ^\n"
        );
    }

    #[test]
    fn any_text_and_any_line_is_answered() {
        for source in ["", ":", "- - -", "\u{feff}a:\n\tb: c", "{a: b}"] {
            for line in 0..5 {
                drop(path_at(source, line));
                drop(snippet(source, line, 3));
            }
        }
    }
}
