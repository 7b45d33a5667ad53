/// Streams whose calls are over, for the next calls of any connection of the loop: an idle
/// connection keeps none. Confined to that loop.
final class ServerStreamPool {
    private static let limit = 1024

    @exclusivity(unchecked) private var free: [ServerStream] = []

    func take(for connection: ServerConnection) -> ServerStream {
        guard let stream = free.popLast() else { return ServerStream(connection) }
        stream.join(connection)
        return stream
    }

    func put(_ stream: ServerStream) {
        stream.recycle()
        guard free.count < ServerStreamPool.limit else { return }
        free.append(stream)
    }
}
