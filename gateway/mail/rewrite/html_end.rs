//! Where an HTML body ends for its reader.
//!
//! Not a parser: a scan that knows comments, raw-text elements and quoted attributes, so that a
//! `</body>` inside one of them is not taken for the real one.

/// Elements whose content is text and no markup until their own end tag (HTML standard, 13.2.5).
const RAW_TEXT: &[&[u8]] =
    &[b"script", b"style", b"textarea", b"title", b"xmp", b"iframe", b"noembed", b"noframes"];

/// The offset at which an addition is seen at the end: before the last real `</body>`, else the
/// last real `</html>`, else the end, or the start of what never closes there.
pub(super) fn end_of_html(html: &[u8]) -> usize {
    let (mut body, mut root, mut at) = (None, None, 0);
    while let Some(step) = html.get(at..).and_then(|rest| rest.iter().position(|&c| c == b'<')) {
        let tag = at + step;
        let rest = html.get(tag..).unwrap_or_default();
        if is_tag(rest, b"</", b"body") {
            body = Some(tag);
        } else if is_tag(rest, b"</", b"html") {
            root = Some(tag);
        }
        match length_of_markup(rest) {
            Some(length) => at = tag + length,
            None => return body.or(root).unwrap_or(tag),
        }
    }
    body.or(root).unwrap_or(html.len())
}

/// How far the markup reaches that begins here; `None` where it never ends.
fn length_of_markup(rest: &[u8]) -> Option<usize> {
    if rest.starts_with(b"<!-->") || rest.starts_with(b"<!--->") {
        return find(rest, b">").map(|at| at + 1);
    }
    if rest.starts_with(b"<!--") {
        let inner = rest.get(4..)?;
        return find(inner, b"-->").map(|at| 4 + at + 3);
    }
    match rest.get(1) {
        Some(b'!' | b'?') => find(rest, b">").map(|at| at + 1),
        Some(b'/') if rest.get(2).is_some_and(u8::is_ascii_alphabetic) => tag_length(rest),
        Some(letter) if letter.is_ascii_alphabetic() => {
            let length = tag_length(rest)?;
            match RAW_TEXT.iter().find(|name| is_tag(rest, b"<", name)) {
                Some(name) => raw_text_length(rest.get(length..)?, name).map(|raw| length + raw),
                None => Some(length),
            }
        }
        // A lone `<` is text.
        _ => Some(1),
    }
}

fn tag_length(rest: &[u8]) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, &octet) in rest.iter().enumerate() {
        match (quote, octet) {
            (Some(open), _) if octet == open => quote = None,
            (Some(_), _) => {}
            // A quote opens a value only behind `=`; elsewhere it is part of a broken name.
            (None, b'"' | b'\'') if after_equals => quote = Some(octet),
            (None, b'>') => return Some(at + 1),
            (None, _) => {}
        }
        if !octet.is_ascii_whitespace() {
            after_equals = octet == b'=';
        }
    }
    None
}

fn raw_text_length(rest: &[u8], name: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(step) = find(rest.get(at..)?, b"</") {
        let end_tag = rest.get(at + step..)?;
        if is_tag(end_tag, b"</", name) {
            return Some(at + step);
        }
        at += step + 2;
    }
    None
}

/// Whether a tag begins here: its opening, its name in any case, and the end of the name.
fn is_tag(rest: &[u8], opening: &[u8], name: &[u8]) -> bool {
    let Some(rest) = rest.strip_prefix(opening) else { return false };
    rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        && rest.get(name.len()).is_none_or(|c| c.is_ascii_whitespace() || b"/>".contains(c))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_end_a_reader_sees() {
        // `|` marks the expected place.
        for marked in [
            "<p>a</p>|",
            "<body>a|</body></html>",
            "<html><p>a|</HTML >",
            "<body>a</body><body>b|</body >\r\n</html>",
            "<body>a|</body><!-- </body> --></html>",
            "<body>a<!-- </body> -->b|",
            "<body><script>x = '</body>';</script>|</body>",
            "<style>a{}</style><body>a|</body>",
            "<body><img alt=\"</body>\" src=x>|</body>",
            "<body>a <it's> b|</body>",
            "<body>1 < 2|</body>",
            "<body>a|<!-- open </body>",
            "<body>a|<script>open",
            "<body>a<![if !mso]>b<![endif]>|</body>",
            "<body>a<bodyguard></bodyguard>|",
            "|",
            "<body>a<!--> b|</body>",
        ] {
            let html = marked.replace('|', "");
            let expected = marked.find('|').unwrap();
            assert_eq!(end_of_html(html.as_bytes()), expected, "{marked}");
        }
    }
}
