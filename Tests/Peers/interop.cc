// gRPC's official interop test server and client, made of Debian's gRPC C++:
//
//   interop server PORT [CERTIFICATE KEY]    says `listening` when it does
//   interop client PORT CASES [CA HOST]      `ok CASE` or `FAILED CASE: why` for each; 1 if any failed
//
// CASES are names of grpc/grpc's doc/interop-test-descriptions.md with commas between.
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "grpc/testing/test.grpc.pb.h"

// Exported by libgrpc for exactly this: whether the last message came compressed.
uint32_t grpc_call_test_only_get_message_flags(grpc_call *call);

namespace grpc {
namespace testing {
static bool compressed(grpc_call *call) {
    return (grpc_call_test_only_get_message_flags(call) & 0xc0000000u) != 0;
}

// The names that ClientContext and ServerContext befriend.
class InteropClientContextInspector {
   public:
    static bool WasCompressed(const ClientContext &context) { return compressed(context.call_); }
};
class InteropServerContextInspector {
   public:
    static bool WasCompressed(const ServerContextBase &context) {
        return compressed(context.call_.call);
    }
};
}  // namespace testing
}  // namespace grpc

using namespace grpc::testing;
using grpc::ClientContext;
using grpc::ServerContext;
using grpc::Status;

static const char *initial_name = "x-grpc-test-echo-initial";
static const char *trailing_name = "x-grpc-test-echo-trailing-bin";

static std::string file(const char *path) {
    std::ifstream stream(path, std::ios::binary);
    std::stringstream text;
    text << stream.rdbuf();
    return text.str();
}

// MARK: Server

class Service final : public TestService::Service {
    static void echo(ServerContext *context) {
        const auto &metadata = context->client_metadata();
        auto found = metadata.find(initial_name);
        if (found != metadata.end())
            context->AddInitialMetadata(
                initial_name, std::string(found->second.begin(), found->second.end()));
        found = metadata.find(trailing_name);
        if (found != metadata.end())
            context->AddTrailingMetadata(
                trailing_name, std::string(found->second.begin(), found->second.end()));
    }

    template <typename Request>
    static bool echo(const Request &request, Status *status) {
        if (!request.has_response_status()) return false;
        *status = Status(static_cast<grpc::StatusCode>(request.response_status().code()),
                         request.response_status().message());
        return true;
    }

    template <typename Request>
    static bool arrived_as_expected(ServerContext *context, const Request &request) {
        return !request.has_expect_compressed()
               || request.expect_compressed().value()
                      == InteropServerContextInspector::WasCompressed(*context);
    }

    static const Status &wrong_compression() {
        static const Status status(grpc::INVALID_ARGUMENT, "not compressed as expected");
        return status;
    }

    template <typename Stream>
    static Status answer(const StreamingOutputCallRequest &request, Stream *stream) {
        Status status;
        if (echo(request, &status)) return status;
        for (const auto &parameters : request.response_parameters()) {
            std::this_thread::sleep_for(std::chrono::microseconds(parameters.interval_us()));
            StreamingOutputCallResponse response;
            response.mutable_payload()->set_body(std::string(parameters.size(), '\0'));
            grpc::WriteOptions options;
            if (!parameters.compressed().value()) options.set_no_compression();
            if (!stream->Write(response, options)) break;
        }
        return Status::OK;
    }

    Status EmptyCall(ServerContext *context, const Empty *, Empty *) override {
        echo(context);
        return Status::OK;
    }

    Status UnaryCall(
        ServerContext *context, const SimpleRequest *request, SimpleResponse *response) override {
        echo(context);
        if (!arrived_as_expected(context, *request)) return wrong_compression();
        Status status;
        if (echo(*request, &status)) return status;
        if (request->response_compressed().value())
            context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        response->mutable_payload()->set_body(std::string(request->response_size(), '\0'));
        return Status::OK;
    }

    Status StreamingOutputCall(
        ServerContext *context, const StreamingOutputCallRequest *request,
        grpc::ServerWriter<StreamingOutputCallResponse> *writer) override {
        echo(context);
        context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        return answer(*request, writer);
    }

    Status StreamingInputCall(
        ServerContext *context, grpc::ServerReader<StreamingInputCallRequest> *reader,
        StreamingInputCallResponse *response) override {
        echo(context);
        StreamingInputCallRequest request;
        int sum = 0;
        while (reader->Read(&request)) {
            if (!arrived_as_expected(context, request)) return wrong_compression();
            sum += static_cast<int>(request.payload().body().size());
        }
        response->set_aggregated_payload_size(sum);
        return Status::OK;
    }

    Status FullDuplexCall(
        ServerContext *context,
        grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest> *stream)
        override {
        echo(context);
        StreamingOutputCallRequest request;
        while (stream->Read(&request)) {
            const auto status = answer(request, stream);
            if (!status.ok()) return status;
        }
        return Status::OK;
    }
};

static int serve(const std::string &port, const char *certificate, const char *key) {
    std::shared_ptr<grpc::ServerCredentials> credentials = grpc::InsecureServerCredentials();
    if (certificate) {
        grpc::SslServerCredentialsOptions options;
        options.pem_key_cert_pairs.push_back({file(key), file(certificate)});
        credentials = grpc::SslServerCredentials(options);
    }
    Service service;
    grpc::channelz::experimental::InitChannelzService();
    grpc::ServerBuilder builder;
    builder.AddChannelArgument(GRPC_ARG_ENABLE_CHANNELZ, 1);
    builder.AddListeningPort("127.0.0.1:" + port, credentials);
    builder.RegisterService(&service);
    auto server = builder.BuildAndStart();
    if (!server) return 1;
    std::cout << "listening" << std::endl;
    server->Wait();
    return 0;
}

// MARK: Client

struct Wrong {
    std::string what;
};

static void check(bool condition, const std::string &what) {
    if (!condition) throw Wrong{what};
}

static void check(const Status &status) {
    check(status.ok(), std::to_string(status.error_code()) + " " + status.error_message());
}

static void check(const Status &status, grpc::StatusCode code, const std::string &what) {
    check(status.error_code() == code,
          what + ": status " + std::to_string(status.error_code()) + " " + status.error_message());
}

static void check(const Payload &payload, size_t size) {
    check(payload.body() == std::string(size, '\0'),
          "a payload of " + std::to_string(payload.body().size()) + " bytes instead of "
              + std::to_string(size) + " zeros");
}

static std::unique_ptr<ClientContext> context() {
    auto context = std::make_unique<ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return context;
}

static SimpleRequest large() {
    SimpleRequest request;
    request.set_response_size(314159);
    request.mutable_payload()->set_body(std::string(271828, '\0'));
    return request;
}

static const int requested[] = {27182, 8, 1828, 45904};
static const int responded[] = {31415, 9, 2653, 58979};

class Client {
    std::unique_ptr<TestService::Stub> stub;
    std::unique_ptr<UnimplementedService::Stub> unimplemented;

    static StreamingOutputCallRequest duplex(int size, int payload) {
        StreamingOutputCallRequest request;
        if (size >= 0) request.add_response_parameters()->set_size(size);
        request.mutable_payload()->set_body(std::string(payload, '\0'));
        return request;
    }

    void empty_unary() {
        Empty empty;
        check(stub->EmptyCall(context().get(), empty, &empty));
        check(empty.ByteSizeLong() == 0, "the empty response has bytes");
    }

    void large_unary() {
        SimpleResponse response;
        check(stub->UnaryCall(context().get(), large(), &response));
        check(response.payload(), 314159);
    }

    void client_streaming() {
        auto c = context();
        StreamingInputCallResponse response;
        auto stream = stub->StreamingInputCall(c.get(), &response);
        for (int size : requested) {
            StreamingInputCallRequest request;
            request.mutable_payload()->set_body(std::string(size, '\0'));
            check(stream->Write(request), "a failed write");
        }
        stream->WritesDone();
        check(stream->Finish());
        check(response.aggregated_payload_size() == 74922, "the aggregated size");
    }

    void server_streaming() {
        auto c = context();
        StreamingOutputCallRequest request;
        for (int size : responded) request.add_response_parameters()->set_size(size);
        auto stream = stub->StreamingOutputCall(c.get(), request);
        StreamingOutputCallResponse response;
        for (int size : responded) {
            check(stream->Read(&response), "a missing response");
            check(response.payload(), size);
        }
        check(!stream->Read(&response), "a fifth response");
        check(stream->Finish());
    }

    void ping_pong() {
        auto c = context();
        auto stream = stub->FullDuplexCall(c.get());
        StreamingOutputCallResponse response;
        for (int i = 0; i < 4; i++) {
            check(stream->Write(duplex(responded[i], requested[i])), "a failed write");
            check(stream->Read(&response), "a missing response");
            check(response.payload(), responded[i]);
        }
        stream->WritesDone();
        check(!stream->Read(&response), "a fifth response");
        check(stream->Finish());
    }

    void empty_stream() {
        auto c = context();
        auto stream = stub->FullDuplexCall(c.get());
        stream->WritesDone();
        StreamingOutputCallResponse response;
        check(!stream->Read(&response), "a response to nothing");
        check(stream->Finish());
    }

    void cancel_after_begin() {
        auto c = context();
        StreamingInputCallResponse response;
        auto stream = stub->StreamingInputCall(c.get(), &response);
        c->TryCancel();
        check(stream->Finish(), grpc::CANCELLED, "StreamingInputCall");
    }

    void cancel_after_first_response() {
        auto c = context();
        auto stream = stub->FullDuplexCall(c.get());
        StreamingOutputCallResponse response;
        check(stream->Write(duplex(31415, 27182)), "a failed write");
        check(stream->Read(&response), "a missing response");
        check(response.payload(), 31415);
        c->TryCancel();
        check(stream->Finish(), grpc::CANCELLED, "FullDuplexCall");
    }

    void timeout_on_sleeping_server() {
        ClientContext c;
        c.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
        auto stream = stub->FullDuplexCall(&c);
        stream->Write(duplex(-1, 27182));
        check(stream->Finish(), grpc::DEADLINE_EXCEEDED, "FullDuplexCall");
    }

    static void check_metadata(const ClientContext &c, const std::string &what) {
        const auto &initial = c.GetServerInitialMetadata();
        auto found = initial.find(initial_name);
        check(found != initial.end() && found->second == "test_initial_metadata_value",
              what + ": initial metadata");
        const auto &trailing = c.GetServerTrailingMetadata();
        found = trailing.find(trailing_name);
        check(found != trailing.end() && found->second == "\xab\xab\xab",
              what + ": trailing metadata");
    }

    void custom_metadata() {
        auto c = context();
        c->AddMetadata(initial_name, "test_initial_metadata_value");
        c->AddMetadata(trailing_name, "\xab\xab\xab");
        SimpleResponse response;
        check(stub->UnaryCall(c.get(), large(), &response));
        check(response.payload(), 314159);
        check_metadata(*c, "UnaryCall");

        c = context();
        c->AddMetadata(initial_name, "test_initial_metadata_value");
        c->AddMetadata(trailing_name, "\xab\xab\xab");
        auto stream = stub->FullDuplexCall(c.get());
        StreamingOutputCallResponse streamed;
        check(stream->Write(duplex(314159, 271828)), "a failed write");
        stream->WritesDone();
        check(stream->Read(&streamed), "a missing response");
        check(streamed.payload(), 314159);
        check(!stream->Read(&streamed), "a second response");
        check(stream->Finish());
        check_metadata(*c, "FullDuplexCall");
    }

    void unary_status(const std::string &message) {
        SimpleRequest request;
        request.mutable_response_status()->set_code(2);
        request.mutable_response_status()->set_message(message);
        SimpleResponse response;
        const auto status = stub->UnaryCall(context().get(), request, &response);
        check(status, grpc::UNKNOWN, "UnaryCall");
        check(status.error_message() == message, "UnaryCall: " + status.error_message());
    }

    void status_code_and_message() {
        const std::string message = "test status message";
        unary_status(message);
        auto c = context();
        auto stream = stub->FullDuplexCall(c.get());
        StreamingOutputCallRequest request;
        request.mutable_response_status()->set_code(2);
        request.mutable_response_status()->set_message(message);
        check(stream->Write(request), "a failed write");
        stream->WritesDone();
        StreamingOutputCallResponse response;
        check(!stream->Read(&response), "a response instead of a status");
        const auto status = stream->Finish();
        check(status, grpc::UNKNOWN, "FullDuplexCall");
        check(status.error_message() == message, "FullDuplexCall: " + status.error_message());
    }

    void special_status_message() {
        unary_status("\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n");
    }

    void unimplemented_method() {
        Empty empty;
        check(stub->UnimplementedCall(context().get(), empty, &empty), grpc::UNIMPLEMENTED,
              "UnimplementedCall");
    }

    void unimplemented_service() {
        Empty empty;
        check(unimplemented->UnimplementedCall(context().get(), empty, &empty),
              grpc::UNIMPLEMENTED, "UnimplementedService");
    }

    Status compressed_unary(bool compress, bool expect) {
        auto request = large();
        request.mutable_expect_compressed()->set_value(expect);
        auto c = context();
        if (compress) c->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        SimpleResponse response;
        const auto status = stub->UnaryCall(c.get(), request, &response);
        if (status.ok()) check(response.payload(), 314159);
        return status;
    }

    void client_compressed_unary() {
        check(compressed_unary(false, true), grpc::INVALID_ARGUMENT, "the probe");
        check(compressed_unary(true, true));
        check(compressed_unary(false, false));
    }

    void client_compressed_streaming() {
        StreamingInputCallRequest request;
        request.mutable_expect_compressed()->set_value(true);
        request.mutable_payload()->set_body(std::string(27182, '\0'));
        StreamingInputCallResponse response;
        auto c = context();
        auto stream = stub->StreamingInputCall(c.get(), &response);
        stream->Write(request);
        stream->WritesDone();
        check(stream->Finish(), grpc::INVALID_ARGUMENT, "the probe");

        c = context();
        c->set_compression_algorithm(GRPC_COMPRESS_GZIP);
        stream = stub->StreamingInputCall(c.get(), &response);
        check(stream->Write(request), "a failed write");
        request.mutable_expect_compressed()->set_value(false);
        request.mutable_payload()->set_body(std::string(45904, '\0'));
        check(stream->Write(request, grpc::WriteOptions().set_no_compression()), "a failed write");
        stream->WritesDone();
        check(stream->Finish());
        check(response.aggregated_payload_size() == 73086, "the aggregated size");
    }

    void server_compressed_unary() {
        for (bool compress : {true, false}) {
            auto request = large();
            request.mutable_response_compressed()->set_value(compress);
            auto c = context();
            SimpleResponse response;
            check(stub->UnaryCall(c.get(), request, &response));
            check(InteropClientContextInspector::WasCompressed(*c) == compress,
                  compress ? "not compressed" : "compressed");
            check(response.payload(), 314159);
        }
    }

    void server_compressed_streaming() {
        auto c = context();
        StreamingOutputCallRequest request;
        for (int size : {31415, 92653}) {
            auto *parameters = request.add_response_parameters();
            parameters->set_size(size);
            parameters->mutable_compressed()->set_value(size == 31415);
        }
        auto stream = stub->StreamingOutputCall(c.get(), request);
        StreamingOutputCallResponse response;
        for (int size : {31415, 92653}) {
            check(stream->Read(&response), "a missing response");
            check(response.payload(), size);
            check(InteropClientContextInspector::WasCompressed(*c) == (size == 31415),
                  "the compressed flag of the response of " + std::to_string(size) + " bytes");
        }
        check(!stream->Read(&response), "a third response");
        check(stream->Finish());
    }

   public:
    explicit Client(const std::shared_ptr<grpc::Channel> &channel)
        : stub(TestService::NewStub(channel)),
          unimplemented(UnimplementedService::NewStub(channel)) {}

    bool run(const std::string &name) {
        static const std::map<std::string, void (Client::*)()> cases = {
#define CASE(name) {#name, &Client::name}
            CASE(empty_unary), CASE(large_unary), CASE(client_streaming), CASE(server_streaming),
            CASE(ping_pong), CASE(empty_stream), CASE(cancel_after_begin),
            CASE(cancel_after_first_response), CASE(timeout_on_sleeping_server),
            CASE(custom_metadata), CASE(status_code_and_message), CASE(special_status_message),
            CASE(unimplemented_method), CASE(unimplemented_service),
            CASE(client_compressed_unary), CASE(client_compressed_streaming),
            CASE(server_compressed_unary), CASE(server_compressed_streaming)
#undef CASE
        };
        try {
            const auto found = cases.find(name);
            check(found != cases.end(), "no such case");
            (this->*found->second)();
            std::cout << "ok " << name << std::endl;
            return true;
        } catch (const Wrong &wrong) {
            std::cout << "FAILED " << name << ": " << wrong.what << std::endl;
            return false;
        }
    }
};

static int call(const std::string &port, const std::string &names, const char *ca,
                const char *host) {
    grpc::ChannelArguments arguments;
    auto credentials = grpc::InsecureChannelCredentials();
    if (ca) {
        grpc::SslCredentialsOptions options;
        options.pem_root_certs = file(ca);
        credentials = grpc::SslCredentials(options);
        arguments.SetSslTargetNameOverride(host);
    }
    Client client(grpc::CreateCustomChannel("127.0.0.1:" + port, credentials, arguments));
    std::stringstream list(names);
    std::string name;
    bool good = true;
    while (std::getline(list, name, ',')) good = client.run(name) && good;
    return good ? 0 : 1;
}

int main(int count, char **words) {
    const std::string role = count > 2 ? words[1] : "";
    if (role == "server" && (count == 3 || count == 5))
        return serve(words[2], count == 5 ? words[3] : nullptr, count == 5 ? words[4] : nullptr);
    if (role == "client" && (count == 4 || count == 6))
        return call(words[2], words[3], count == 6 ? words[4] : nullptr,
                    count == 6 ? words[5] : nullptr);
    std::cerr << "interop server PORT [CERTIFICATE KEY] | client PORT CASES [CA HOST]" << std::endl;
    return 2;
}
