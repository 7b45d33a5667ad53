import Loop
import RPC

/// A client's connection, whichever version of HTTP it speaks. Confined to its loop.
protocol ServedConnection: AnyObject, Sendable {
    /// For channelz.
    var id: Int64 { get }
    var loop: EventLoop { get }
    var socket: any ByteStream { get }
    var peer: Peer { get }
    /// Why it ended.
    var end: ConnectionEnd { get }
    /// Every call so far.
    var calls: CallCounts { get }
    func channelz(_ time: ChannelzTime) -> ChannelzV1.Socket
    func runningCalls() -> [RunningCall]
    /// Ends gracefully: what runs finishes, nothing new begins.
    func leave(_ cause: ConnectionEnd)
    /// Cancels what still runs, says so to the client, and closes.
    func abort(_ error: RPCError)
}

extension ServedConnection {
    /// The peer's address without its port.
    var host: String {
        switch socket.peer {
        case .ipv4(let host, _), .ipv6(let host, _): host
        case .unix(let path): path
        }
    }
}
