/// Frames that wait for a socket. A frame with a key takes the place of an older one with the same
/// key: availability is absolute, so only the newest of a slot matters.
struct OutboundQueue: Sendable {
    private var frames: [[UInt8]] = []
    private var places: [String: Int] = [:]
    private(set) var bytes = 0

    var isEmpty: Bool { frames.isEmpty }

    mutating func push(_ frame: [UInt8], key: String? = nil) {
        if let key, let place = places[key] {
            bytes += frame.count - frames[place].count
            frames[place] = frame
            return
        }
        if let key { places[key] = frames.count }
        frames.append(frame)
        bytes += frame.count
    }

    mutating func take() -> [[UInt8]] {
        let taken = frames
        self = OutboundQueue()
        return taken
    }
}
