import RPC

/// What a connection counts for channelz besides what its session counts. Confined to its loop;
/// the times are the loop's milliseconds, zero is never.
struct ConnectionTraffic {
    struct Messages {
        var sent = 0
        var received = 0
    }

    var callsSucceeded = 0
    var callsFailed = 0
    /// Of streams that have closed; those that are open count for themselves.
    private(set) var messagesSent = 0
    private(set) var messagesReceived = 0
    /// Set when the connection has closed and its session is gone.
    var streamsStarted = 0
    var lastStream: UInt64 = 0
    var lastSent: UInt64 = 0
    var lastReceived: UInt64 = 0
    var pings: UInt32 = 0

    @inline(__always)
    mutating func count(_ error: RPCError?) {
        if error == nil { callsSucceeded &+= 1 } else { callsFailed &+= 1 }
    }

    @inline(__always)
    mutating func add(_ messages: Messages) {
        messagesSent &+= messages.sent
        messagesReceived &+= messages.received
    }

    func calls(started: Int?) -> CallCounts {
        CallCounts(
            started: started ?? streamsStarted, succeeded: callsSucceeded, failed: callsFailed,
            lastStarted: lastStream)
    }
}
