import Domain
import Environment
import Protobuf
import Schema

extension BookingV1.WaitlistEntry {
    /// - Parameter place: 1 for the first, 0 for who does not wait.
    init(_ entry: WaitlistEntry, place: Int, offerUntil: Instant? = nil) {
        self.init()
        id = entry.id.description
        slotId = entry.slot.description
        quantity = Int32(clamping: entry.quantity)
        status =
            switch entry.status {
            case .waiting: .waiting
            case .offered: .offered
            case .claimed: .claimed
            case .lapsed: .lapsed
            case .left: .left
            case .ended: .ended
            }
        self.place = Int32(clamping: place)
        joinedAt = GoogleProtobuf.Timestamp(entry.joinedAt)
        if entry.status == .offered {
            offerExpiresAt = offerUntil.map { GoogleProtobuf.Timestamp($0) }
        }
        version = entry.version
    }
}
