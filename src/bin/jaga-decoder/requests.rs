//! Requests from the server over the socket that is standard input.

use std::io::{self, IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use jaga::media::protocol::{MAX_JSON_BYTES, Request};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

use crate::fault::{Fault, Stop};

/// The next request and the descriptor that came with it; `None` when the server closed its end.
pub(crate) fn receive() -> Result<Option<(Request, Option<OwnedFd>)>, Stop> {
    let mut length = [0; 4];
    let Some(descriptor) = receive_length(&mut length)? else {
        return Ok(None);
    };
    let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > MAX_JSON_BYTES {
        return Err(Fault::internal(format!("request of {length} bytes")).into());
    }
    let mut json = vec![0; length];
    io::stdin().lock().read_exact(&mut json)?;
    let request = serde_json::from_slice(&json)
        .map_err(|error| Fault::internal(format!("request that can't be read: {error}")))?;
    Ok(Some((request, descriptor.0)))
}

/// A descriptor, if one came with the message.
struct Carried(Option<OwnedFd>);

/// Fills `length`. The descriptor travels with the first byte, so one `recvmsg` of the length's
/// four bytes gets both; nothing more is read, since `read` would drop a descriptor.
fn receive_length(length: &mut [u8; 4]) -> Result<Option<Carried>, Stop> {
    let mut carried = Carried(None);
    let mut filled = 0;
    while let Some(rest) = length.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = recvmsg(
            io::stdin(),
            &mut [IoSliceMut::new(rest)],
            &mut control,
            RecvFlags::CMSG_CLOEXEC,
        );
        let received = match received {
            Err(rustix::io::Errno::INTR) => continue,
            other => other?,
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                carried.0 = descriptors.into_iter().next().or(carried.0);
            }
        }
        if received.bytes == 0 {
            return match filled {
                0 => Ok(None),
                _ => Err(Stop::PeerGone),
            };
        }
        filled += received.bytes;
    }
    Ok(Some(carried))
}
