import RPC

/// What `grpc-retry-pushback-ms` of a server says (gRFC A6).
enum Pushback: Equatable {
    /// The server leaves it to the client.
    case none
    /// Not earlier and not later than after this.
    case after(Duration)
    /// No more attempts: negative, or unreadable.
    case stop

    init(_ trailers: Metadata) {
        guard !trailers.isEmpty, let text = trailers.first("grpc-retry-pushback-ms") else {
            self = .none
            return
        }
        self = Int32(text).flatMap { $0 >= 0 ? .after(.milliseconds(Int64($0))) : nil } ?? .stop
    }
}
