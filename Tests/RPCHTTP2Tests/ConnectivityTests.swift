import Environment
import HTTP2
import Loop
import RPC
import Synchronization
import TestKit
import Testing

@testable import RPCHTTP2

@Suite("Connections and states of a channel", .timeLimit(.minutes(5)))
struct ConnectivityTests {
    private func channel(
        _ server: RawServer, _ change: (inout ChannelConfiguration) -> Void = { _ in }
    ) throws -> HTTP2Channel {
        var configuration = ChannelConfiguration()
        change(&configuration)
        return try HTTP2Channel(
            target: "\(server.address)", loop: EventLoop(name: "client"),
            configuration: configuration)
    }

    /// The next state that is not the one before.
    private func next(
        _ states: inout AsyncStream<ChannelState>.Iterator, _ wanted: ConnectivityState
    ) async -> ChannelState? {
        while let state = await states.next(isolation: nil) {
            if state.connectivity == wanted { return state }
        }
        return nil
    }

    @Test("states: idle, ready on connect(), idle when lost, failure with its error, shutdown")
    func states() async throws {
        let server = try await RawServer(on: .kept()) { $0.answer([1]) }
        let channel = try channel(server) {
            $0.firstBackoff = .milliseconds(20)
            $0.maxBackoff = .milliseconds(20)
        }
        var states = channel.states.makeAsyncIterator()
        var late = channel.states.makeAsyncIterator()
        #expect(await next(&states, .idle) == ChannelState(.idle))
        channel.connect()
        #expect(await next(&states, .ready) == ChannelState(.ready))
        try await server.kill()
        let lost = await next(&states, .idle)
        #expect(lost?.lastError?.connectionFailure == .lost)
        channel.connect()
        let failed = await next(&states, .transientFailure)
        #expect(failed?.lastError?.connectionFailure == .connect)
        #expect(failed?.lastError?.cause?.contains("ECONNREFUSED") == true)
        let again = try await RawServer(on: server.address) { $0.answer([2]) }
        #expect(await next(&states, .ready) == ChannelState(.ready))
        #expect(try await again.connections == 1)
        // Who has not looked since finds the newest state, not a queue.
        var looks = 1
        while await late.next(isolation: nil)?.connectivity != .ready, looks < 9 { looks += 1 }
        // Two when it is told after `states` was.
        #expect(looks <= 2)
        channel.close()
        #expect(await next(&states, .shutdown) != nil)
        #expect(await states.next(isolation: nil) == nil)
        #expect(
            await failure { _ = try await channel.unary(Methods.unary, []) }?.message
                == "the channel was closed")
    }

    @Test("while a connection fails, calls fail at once with its error; patient ones wait")
    func failsFast() async throws {
        let server = try await RawServer(on: .kept()) { $0.answer([1]) }
        let address = server.address
        try await server.kill()
        let channel = try channel(server) { $0.firstBackoff = .seconds(1) }
        _ = await failure { _ = try await channel.unary(Methods.unary, []) }
        async let patient = channel.unary(
            Methods.unary, [], options: CallOptions(waitForReady: true))
        let error = await failure { _ = try await channel.unary(Methods.unary, []) }
        #expect(error?.connectionFailure == .connect)
        try await growingDeadline { timeout in
            let impatient = await failure {
                _ = try await channel.unary(
                    Methods.unary, [],
                    options: CallOptions(deadline: .after(timeout), waitForReady: true))
            }
            #expect(impatient?.code == .deadlineExceeded)
            return impatient?.cause?.contains("waits for a connection") == true
                && impatient?.cause?.contains("ECONNREFUSED") == true
        }
        let again = try await RawServer(on: address) { $0.answer([2]) }
        #expect(try await patient == [2])
        #expect(try await again.connections == 1)
    }

    @Test("a peer that accepts and is silent, or speaks something else: marked as HTTP/2")
    func noHTTP2() async throws {
        let loop = EventLoop(name: "other")
        for answer in [nil, Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8)] as [[UInt8]?] {
            let listener = try await Listener.bind(.ipv4(host: "127.0.0.1", port: 0), on: loop) {
                socket in
                if let answer { socket.write(answer) }
            }
            // The time is for the silent one; TCP's part of it comes first.
            try await growingDeadline { timeout in
                var configuration = ChannelConfiguration()
                configuration.connectTimeout = answer == nil ? timeout : .seconds(60)
                let channel = try HTTP2Channel(
                    target: "\(listener.address)", loop: EventLoop(name: "client"),
                    configuration: configuration)
                defer { channel.close() }
                let error = await failure { _ = try await channel.unary(Methods.unary, []) }
                #expect(error?.code == .unavailable)
                return error?.connectionFailure == .http2
            }
            await listener.close()
        }
    }

    @Test("at the peer's stream limit more connections are made, up to ours; idle ones close")
    func extraConnections() async throws {
        let held = Mutex<[RawServer.Request]>([])
        let server = try await RawServer(maxStreams: 2) { request in
            held.withLock { $0.append(request) }
        }
        let channel = try channel(server) {
            $0.maxConnectionsPerAddress = 3
            $0.extraConnectionIdleTime = .milliseconds(30)
        }
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            for number in UInt8(0)..<9 {
                group.addTask { try await channel.unary(Methods.unary, [number]) }
            }
            // Three connections of two streams; three calls wait.
            _ = try await server.received(6)
            #expect(try await server.connections == 3)
            try await until { try await channel.loop.submit { channel.core.calls.started } == 9 }
            var answered = 0
            while answered < 9 {
                let requests = held.withLock { held in
                    defer { held = [] }
                    return held
                }
                try await server.loop.submit {
                    for request in requests { request.answer(request.message) }
                }
                answered += requests.count
                if requests.isEmpty { try await server.loop.sleep(for: .milliseconds(2)) }
            }
            var answers: Set<[UInt8]> = []
            for try await answer in group { answers.insert(answer) }
            #expect(answers.count == 9)
        }
        #expect(try await server.connections == 3)
        try await until { try await server.openConnections == 1 }
        #expect(channel.state.connectivity == .ready)
    }

    @Test("a connection whose stream ids are used up is replaced; no call notices")
    func streamIDs() async throws {
        let server = try await RawServer { $0.answer($0.message) }
        let channel = try channel(server) { $0.maxCallsPerConnection = 3 }
        for number in UInt8(0)..<10 {
            #expect(try await channel.unary(Methods.unary, [number]) == [number])
        }
        #expect(try await server.connections == 4)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in UInt8(0)..<50 {
                group.addTask {
                    let answer = try await channel.unary(Methods.unary, [number])
                    #expect(answer == [number])
                }
            }
            try await group.waitForAll()
        }
        #expect(try await server.received.count == 60)
        try await until { try await server.openConnections <= 1 }
    }

    @Test("GOAWAY: streams above its last id move to a new connection, those below finish")
    func goaway() async throws {
        let held = Mutex<[RawServer.Request]>([])
        let server = try await RawServer { request in
            if request.connection > 0 { return request.answer(request.message) }
            held.withLock { $0.append(request) }
            guard request.number == 3 else { return }
            // Streams 1, 3, 5, 7 are here: 1 and 3 are kept.
            request.peer.goaway(lastStream: 3)
            for request in held.withLock({ $0 }).prefix(2) { request.answer(request.message) }
        }
        let channel = try channel(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in UInt8(0)..<4 {
                group.addTask {
                    let answer = try await channel.unary(Methods.unary, [number])
                    #expect(answer == [number])
                }
            }
            try await group.waitForAll()
        }
        let requests = try await server.received
        #expect(requests.count == 6)
        #expect(requests.suffix(2).allSatisfy { $0.connection == 1 && $0.previous == nil })
        #expect(try await server.connections == 2)
        try await until { try await server.openConnections == 1 }
    }

    @Test("GOAWAY again and again under load: nothing is lost")
    func goawayUnderLoad() async throws {
        let server = try await RawServer { request in
            request.answer(request.message)
            if request.number % 20 == 19 {
                request.peer.session?.goaway(.noError, debug: "max_age")
            }
        }
        let channel = try channel(server)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<10 {
                group.addTask {
                    for number in UInt8(0)..<40 {
                        let answer = try await channel.unary(Methods.unary, [number])
                        #expect(answer == [number])
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await server.connections > 10)
    }

    @Test("keepalive: a peer that no longer answers is lost; without calls nobody pings")
    func keepalive() async throws {
        let server = try await RawServer { _ in }
        let channel = try channel(server) {
            $0.keepaliveFloor = .milliseconds(1)
            $0.keepaliveTime = .milliseconds(40)
            $0.keepaliveTimeout = .milliseconds(40)
        }
        channel.connect()
        try await until { channel.state.connectivity == .ready }
        try await server.onPeers { $0.socket.stopReading() }
        try await channel.loop.sleep(for: .milliseconds(200))
        #expect(channel.state.connectivity == .ready)
        let error = await failure { _ = try await channel.unary(Methods.unary, []) }
        #expect(error?.connectionFailure == .lost)
        #expect(error?.cause?.contains("keepalive") == true)
    }

    @Test("keepalive: never below the floor; too_many_pings doubles the time")
    func keepaliveTime() async throws {
        let server = try await RawServer { request in
            request.answer([1])
            request.peer.goaway(lastStream: 1, code: 11, debug: "too_many_pings")
        }
        let channel = try channel(server) { $0.keepaliveTime = .seconds(1) }
        #expect(try await channel.loop.submit { channel.core.keepaliveTime } == .seconds(10))
        for seconds in [20, 40] {
            #expect(try await channel.unary(Methods.unary, []) == [1])
            try await until {
                try await channel.loop.submit { channel.core.keepaliveTime } == .seconds(seconds)
            }
        }
    }

    @Test("a channel without calls becomes idle and connects again for the next one")
    func idle() async throws {
        let server = try await RawServer { $0.answer([1]) }
        let channel = try channel(server) { $0.idleTimeout = .milliseconds(40) }
        for connections in 1...2 {
            #expect(try await channel.unary(Methods.unary, []) == [1])
            #expect(try await server.connections == connections)
            for await state in channel.states where state.connectivity == .idle { break }
            try await until { try await server.openConnections == 0 }
        }
    }

    @Test("a channel that is dropped lets its call finish and closes its connection")
    func dropped() async throws {
        let server = try await RawServer { _ in }
        let call = try await {
            let channel = try channel(server)
            let call = try await channel.start(
                Methods.unary, metadata: Metadata(), options: CallOptions())
            try await call.send([6])
            call.finish()
            _ = try await server.received(1)
            return call
        }()
        let request = try await server.received(1)[0]
        try await server.loop.submit { request.answer(request.message) }
        #expect(try await call.receiveOnly() == [6])
        try await until { try await server.openConnections == 0 }
    }
}
