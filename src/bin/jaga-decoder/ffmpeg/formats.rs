//! Which containers and codecs may be reached: what phones, cameras, browsers, screen recorders
//! and editors give to people who upload.
//!
//! Not on the list, so never run: everything that opens other inputs by itself (`hls`, `dash`,
//! `concat`, `image2`, `sdp`, `rtsp`, `imf`, …), devices, subtitle files, game formats.

/// Demuxers by FFmpeg's names. The audio-only ones are there so that such a file can be told
/// from an unknown one; their streams are never decoded.
pub(super) const DEMUXERS: &str = "mov,matroska,mpegts,mpeg,avi,flv,ogg,gif,asf,\
h264,hevc,m4v,mpegvideo,ivf,obu,dv,mxf,\
mp3,wav,w64,aiff,caf,flac,aac,amr,ac3,eac3,au";

/// Decoders by FFmpeg's names.
pub(super) const DECODERS: &str = "h264,hevc,libdav1d,libaom-av1,vp9,vp8,mpeg4,mpeg2video,\
mpeg1video,h263,flv,vp6,vp6f,mjpeg,gif,theora,wmv1,wmv2,wmv3,vc1,\
msmpeg4,msmpeg4v2,prores,dnxhd,dvvideo";

/// True when the comma-separated `list` and the comma-separated `names` share a name.
pub(super) fn allows(list: &str, names: &str) -> bool {
    names
        .split(',')
        .any(|name| list.split(',').any(|allowed| allowed == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_hold_what_they_should() {
        assert!(allows(DEMUXERS, "mov,mp4,m4a,3gp,3g2,mj2"));
        assert!(allows(DEMUXERS, "matroska,webm"));
        for nested in [
            "hls",
            "dash",
            "concat",
            "image2",
            "sdp",
            "rtsp",
            "imf",
            "applehttp",
        ] {
            assert!(!allows(DEMUXERS, nested), "{nested}");
        }
        assert!(allows(DECODERS, "h264") && !allows(DECODERS, "h26"));
    }
}
