import Environment

/// What a process told of itself at one moment.
struct TopSample {
    struct Calls {
        var started: Int64 = 0
        var succeeded: Int64 = 0
        var failed: Int64 = 0

        /// Not over; never negative, since a process counts while it answers.
        var running: Int64 { max(0, started - succeeded - failed) }
    }

    struct Server {
        let id: Int64
        let name: String
        let listeners: [String]
        let calls: Calls
    }

    /// A connection of a server or of a subchannel.
    struct Connection {
        let id: Int64
        let owner: Owner
        let peer: String
        let local: String
        let streams: Calls
        let messagesSent: Int64
        let messagesReceived: Int64
        let keepalives: Int64
        /// What the process may send, and what its peer may; nil: not told.
        let sendWindow: Int64?
        let receiveWindow: Int64?
        /// The cipher suite; nil: plaintext.
        let security: String?
    }

    enum Owner: Hashable {
        case server(Int64), subchannel(Int64)
    }

    /// A channel, or one of its addresses.
    struct Channel {
        let id: Int64
        let target: String
        let state: String
        let calls: Calls
        /// The newest that happened to it.
        let event: String?
        var subchannels: [Channel] = []
    }

    let taken: Deadline
    var servers: [Server] = []
    var connections: [Connection] = []
    /// There are more than were asked.
    var isCut = false
    var channels: [Channel] = []

    init(taken: Deadline) {
        self.taken = taken
    }
}
