import Loop
import RPC

/// The connection of a `WebCall`, of either HTTP version. Loop only.
protocol WebHost: AnyObject {
    var loop: EventLoop { get }
    var peer: Peer { get }
    var table: MethodTable { get }
    var configuration: ServerConfiguration { get }
    /// Parts of messages and messages whose handler has not begun, of all calls together.
    var bufferedBytes: Int { get set }
    /// Whether what the connection holds is more than it may.
    var isOverBudget: Bool { get }
    func count(_ error: RPCError?)
}
