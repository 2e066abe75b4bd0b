//! As much of protobuf's encoding as reading an ONNX graph takes.
//! <https://protobuf.dev/programming-guides/encoding>

/// Bytes that are no protobuf of the expected form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ONNX graph (protobuf broken at byte {at})")]
pub(super) struct NotOnnx {
    /// How far the message could be read.
    pub(super) at: usize,
}

/// A field's content.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Number(u64),
    /// A string, a message or packed numbers.
    Bytes(&'a [u8]),
}

/// The fields of one message in order, read one by one: a small file can have a great many.
/// Fixed-width ones, which nothing here needs, are left out.
pub(super) fn fields(message: &[u8]) -> Fields<'_> {
    Fields {
        message,
        rest: message,
    }
}

/// See [`fields`]; ends after the first error.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    message: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), NotOnnx>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let at = self.message.len() - self.rest.len();
            match field(&mut self.rest) {
                Some(None) => {}
                Some(Some(found)) => return Some(Ok(found)),
                None => {
                    self.rest = &[];
                    return Some(Err(NotOnnx { at }));
                }
            }
        }
        None
    }
}

/// `None` when broken, `Some(None)` for a field of fixed width.
#[expect(
    clippy::option_option,
    reason = "broken, left out and read are three answers"
)]
fn field<'a>(rest: &mut &'a [u8]) -> Option<Option<(u64, Value<'a>)>> {
    let tag = varint(rest)?;
    let mut skip = |count: usize| rest.split_off(..count).map(|_| None);
    match tag & 7 {
        0 => Some(Some((tag >> 3, Value::Number(varint(rest)?)))),
        1 => skip(8),
        2 => {
            let length = usize::try_from(varint(rest)?).ok()?;
            Some(Some((tag >> 3, Value::Bytes(rest.split_off(..length)?))))
        }
        5 => skip(4),
        _ => None,
    }
}

/// A number of up to ten bytes; `None` when it doesn't end.
pub(super) fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// A string; what is no UTF-8 is replaced.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
