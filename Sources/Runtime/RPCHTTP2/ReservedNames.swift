/// Header names that are the transport's: metadata that was taken over from another call, or from a
/// request of HTTP/1.1, must not send them a second time.
enum ReservedNames {
    static func contains(_ name: String) -> Bool {
        switch name {
        case "content-type", "content-length", "user-agent", "te", "host", "connection",
            "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
            // RFC 9113 §8.2.2: a peer would refuse the whole message for some of them.
            true
        default: name.hasPrefix("grpc-")
        }
    }
}
