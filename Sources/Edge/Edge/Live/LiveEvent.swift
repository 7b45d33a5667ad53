import Environment
import Protobuf
import Schema
import WebSocket

/// One event on its way to sockets: what it is about, and one frame per kind of reader, encoded
/// once when the first such reader needs it. Loop only.
final class LiveEvent {
    enum View: Int, CaseIterable {
        /// A filter subscription of anybody.
        case filtered
        /// The room summary of X-42.
        case room
        /// The topic `availability`.
        case broadcast
        /// An admin with scope all.
        case admin
    }

    let keys: Set<FilterKey>
    /// The newest frame of equal keys is enough: availability of one slot.
    let coalescing: String?
    private let projection: EventProjection
    private var frames: [[UInt8]??] = Array(repeating: nil, count: View.allCases.count)

    init?(_ delivery: NotificationV1.SubscribeResponse.Delivery) {
        guard let projection = EventProjection(delivery) else { return nil }
        self.projection = projection
        keys = projection.keys
        coalescing =
            projection.topic == "availability.updated" ? projection.text("slot_id") : nil
    }

    /// The frame for a view; nil when that view does not see the event.
    func frame(_ view: View) -> [UInt8]? {
        if let known = frames[view.rawValue] { return known }
        let json: JSONValue? =
            switch view {
            case .filtered: projection.typed
            case .room: projection.roomSummary
            case .broadcast: projection.broadcast
            case .admin: projection.admin
            }
        let frame = json.map { WebSocketFrameEncoder.text($0.encoded()) }
        frames[view.rawValue] = .some(frame)
        return frame
    }

    func coalescingKey(_ view: View) -> String? {
        coalescing.map { "\(view.rawValue) \($0)" }
    }
}
