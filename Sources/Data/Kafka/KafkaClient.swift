import CRdkafka
import Environment
import Glibc
import KafkaMockPort
import Loop
import Telemetry

/// Owns one `rd_kafka_t` and the descriptor through which it wakes our loop.
///
/// librdkafka writes to a non-blocking eventfd when its event queue stops being empty; the loop
/// then takes events until there are none. Nothing polls. Everything here is used on the loop,
/// but for ``blocking(_:then:)``'s body.
final class KafkaClient: @unchecked Sendable {  // confined to the loop
    let raw: OpaquePointer
    let loop: EventLoop
    private let queue: OpaquePointer
    private let wakeup: Int32
    private let log: Unmanaged<LogContext>
    private var watcher: DescriptorWatcher?
    private var blockingCalls = 0
    private var isClosing = false
    private var onDestroyed: (@Sendable () -> Void)?

    /// Any thread. - Throws: ``KafkaError`` that names the setting which librdkafka refuses.
    init(
        _ kind: rd_kafka_type_t, _ settings: [(String, String)], loop: EventLoop, logger: Logger
    ) throws(KafkaError) {
        let log = Unmanaged.passRetained(LogContext(logger))
        let conf: OpaquePointer
        do {
            conf = try Self.configuration(settings)
        } catch {
            log.release()
            throw error
        }
        rd_kafka_conf_set_opaque(conf, log.toOpaque())
        rd_kafka_conf_set_log_cb(conf, writeLog)
        rd_kafka_conf_set_events(
            conf,
            RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_FETCH | RD_KAFKA_EVENT_REBALANCE
                | RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_OFFSET_COMMIT)
        var text = [CChar](repeating: 0, count: 512)
        guard let raw = rd_kafka_new(kind, conf, &text, text.count) else {
            rd_kafka_conf_destroy(conf)
            log.release()
            throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, String(bytes: text))
        }
        if kind == RD_KAFKA_CONSUMER { rd_kafka_poll_set_consumer(raw) }
        let queue =
            kind == RD_KAFKA_CONSUMER
            ? rd_kafka_queue_get_consumer(raw) : rd_kafka_queue_get_main(raw)
        guard let queue else {
            preconditionFailure("librdkafka gives every client its event queue")
        }
        self.raw = raw
        self.queue = queue
        self.loop = loop
        self.log = log
        wakeup = janji_kafka_wakeup()
        precondition(wakeup >= 0, "eventfd: errno \(errno)")
    }

    private static func configuration(
        _ settings: [(String, String)]
    ) throws(KafkaError) -> OpaquePointer {
        guard let conf = rd_kafka_conf_new() else { preconditionFailure("no memory") }
        var text = [CChar](repeating: 0, count: 512)
        for (name, value) in settings {
            guard rd_kafka_conf_set(conf, name, value, &text, text.count) == RD_KAFKA_CONF_OK
            else {
                rd_kafka_conf_destroy(conf)
                throw KafkaError(RD_KAFKA_RESP_ERR__INVALID_ARG, String(bytes: text))
            }
        }
        return conf
    }

    /// Calls `onEvents` on the loop whenever the queue may have something, beginning now.
    func watch(_ onEvents: @escaping () -> Void) {
        loop.preconditionInLoop()
        let descriptor = wakeup
        do {
            watcher = try DescriptorWatcher(loop: loop, descriptor: descriptor) { _, _ in
                var count: UInt64 = 0
                _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
                onEvents()
            }
        } catch {
            preconditionFailure("an eventfd can always be watched: \(error)")
        }
        watcher?.watch(.readable)
        var one: UInt64 = 1
        rd_kafka_queue_io_event_enable(queue, descriptor, &one, MemoryLayout<UInt64>.size)
        // What came before the descriptor was enabled told nobody.
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    /// The next event, which the caller destroys; `nil` when there is none now.
    func nextEvent() -> OpaquePointer? { isClosing ? nil : rd_kafka_queue_poll(queue, 0) }

    /// Asks for topics; the answer is an event of this client.
    func createTopics(_ topics: inout [OpaquePointer?], _ options: OpaquePointer?) {
        rd_kafka_CreateTopics(raw, &topics, topics.count, options, queue)
    }

    /// Leaves the group in the background; the queue must be served until ``hasLeft``.
    func leave() {
        if let error = rd_kafka_consumer_close_queue(raw, queue) { rd_kafka_error_destroy(error) }
    }

    var hasLeft: Bool { rd_kafka_consumer_closed(raw) != 0 }

    /// Runs a call that librdkafka only offers as a blocking one on a thread of its own (the
    /// loop's pool is small and an absent broker would fill it), then `then` on the loop, unless
    /// the client was closed meanwhile. Calls must be bounded in time: closing waits for them.
    func blocking<T: Sendable>(
        _ body: @escaping @Sendable (OpaquePointer) -> T, then: @escaping @Sendable (T) -> Void
    ) {
        loop.preconditionInLoop()
        guard !isClosing else { return }
        blockingCalls += 1
        DetachedThread.run { [self] in
            let result = body(raw)
            loop.execute { [self] in
                blockingCalls -= 1
                if isClosing {
                    destroyWhenIdle()
                } else {
                    then(result)
                }
            }
        }
    }

    /// Stops watching and frees everything on another thread: destroying a client joins its
    /// threads. `onDestroyed` runs on the loop.
    func close(_ onDestroyed: (@Sendable () -> Void)? = nil) {
        loop.preconditionInLoop()
        guard !isClosing else { return }
        isClosing = true
        self.onDestroyed = onDestroyed
        rd_kafka_queue_io_event_enable(queue, -1, nil, 0)
        watcher?.close()
        watcher = nil
        destroyWhenIdle()
    }

    private func destroyWhenIdle() {
        guard blockingCalls == 0 else { return }
        DetachedThread.run { [self] in
            rd_kafka_queue_destroy(queue)
            rd_kafka_destroy_flags(raw, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            Glibc.close(wakeup)
            log.release()
            loop.execute { [self] in
                onDestroyed?()
                onDestroyed = nil
            }
        }
    }
}

/// librdkafka's own lines. Connection troubles repeat for as long as a broker is away, so
/// they are for debugging; ``KafkaHealth`` tells each change of state once.
private let writeLog:
    @convention(c) (
        OpaquePointer?, Int32, UnsafePointer<CChar>?, UnsafePointer<CChar>?
    ) -> Void = { client, level, facility, text in
        guard let client, let facility, let text, let opaque = rd_kafka_opaque(client) else {
            return
        }
        let logger = Unmanaged<LogContext>.fromOpaque(opaque).takeUnretainedValue().logger
        let kind = String(cString: facility)
        let message = String(cString: text)
        let repeats = ["FAIL", "ERROR", "CONFWARN", "GETPID", "MAXPOLL"].contains(kind)
        if level <= LOG_WARNING, !repeats {
            logger.warning("librdkafka", ["kind": .string(kind), "text": .string(message)])
        } else {
            logger.debug("librdkafka", ["kind": .string(kind), "text": .string(message)])
        }
    }

/// What librdkafka's threads write their lines to.
private final class LogContext: Sendable {
    let logger: Logger
    init(_ logger: Logger) { self.logger = logger }
}

extension String {
    /// The text of a C buffer up to its NUL.
    init(bytes buffer: [CChar]) {
        self.init(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
