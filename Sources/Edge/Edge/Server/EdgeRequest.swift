import Environment
import HTTP1

/// One whole request with what the edge knows about it.
struct EdgeRequest: Sendable {
    let head: HTTPRequestHead
    let body: [UInt8]
    let id: String
    /// The client's address, without port.
    let address: String
    let arrived: Deadline
}
