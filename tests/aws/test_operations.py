"""Every operation that boto3 knows is there: served, or refused with a word that says it is not served yet."""

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.session import Session

MODEL = Session().get_service_model("batch")
SERVED = set(MODEL.operation_names)
# Of the other services some operations are routed, checked and refused. Two more are none that boto3 sends here: it takes another host
# for StartLiveTail, and does not sign AssumeRoleWithWebIdentity.
NOT_SERVED = [
    ("logs", "GetQueryResults"),
    ("logs", "StartQuery"),
    ("logs", "StopQuery"),
    ("sts", "AssumeRole"),
]
ACCOUNT = "arn:aws:batch:us-east-1:000000000000"
NOBODY = "00000000-0000-4000-8000-000000000000"


def value(name, shape):
    """Some value of a shape that its own rules allow."""
    if shape.type_name == "structure":
        return request(shape)
    if shape.type_name == "list":
        return [value(name, shape.member)]
    if shape.type_name == "map":
        return {"key": value(name, shape.value)}
    if shape.type_name == "string":
        return next(iter(shape.enum), "x")
    if shape.type_name in ("integer", "long"):
        return 1
    if shape.type_name in ("float", "double"):
        return 1.0
    assert shape.type_name == "boolean", shape
    return True


def request(shape):
    """A structure with its required members."""
    if shape is None:
        return {}
    return {name: value(name, shape.members[name]) for name in shape.required_members}


def test_all_of_the_model_is_looked_at():
    assert len(SERVED) == 48


def refusal_of(site, service, operation, input_):
    with pytest.raises(ClientError) as refused:
        getattr(site.client(service), xform_name(operation))(**input_)
    answer = refused.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 400
    return answer["Error"]["Message"]


@pytest.mark.parametrize("service, operation", NOT_SERVED)
def test_an_operation_that_is_not_served_says_so(site, service, operation):
    shape = Session().get_service_model(service).operation_model(operation).input_shape
    good = {name: "x" * max(member.metadata.get("min", 1), 1) for name, member in shape.members.items()}
    input_ = {name: good[name] if shape.members[name].type_name == "string" else value(name, shape.members[name])
              for name in shape.required_members}
    message = refusal_of(site, service, operation, input_)
    assert message.startswith(f"{operation} is not served by this version of Batchyard: ")


@pytest.mark.parametrize("service, operation", NOT_SERVED)
def test_an_operation_that_is_not_served_checks_its_input_first(site, service, operation):
    shape = Session().get_service_model(service).operation_model(operation).input_shape
    message = refusal_of(site, service, operation, {})
    assert "not served" not in message
    assert [member for member in shape.required_members if member not in message] == []


@pytest.mark.parametrize("operation", sorted(SERVED))
def test_a_served_operation_answers(site, operation):
    input_ = request(MODEL.operation_model(operation).input_shape)
    if operation == "RegisterJobDefinition":
        # The definition "x" would be there for SubmitJob then.
        input_["jobDefinitionName"] = "no name"
    if "resourceArn" in input_:
        input_["resourceArn"] = f"{ACCOUNT}:job/{NOBODY}:1"
    try:
        answer = getattr(site.batch, xform_name(operation))(**input_)
    except ClientError as error:
        assert isinstance(error, site.batch.exceptions.ClientException)
        assert "not served" not in str(error)
    else:
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_errors_have_their_class(site):
    with pytest.raises(site.batch.exceptions.ClientException) as refused:
        site.batch.describe_jobs(jobs=["x"] * 101)
    metadata = refused.value.response["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 400
    assert metadata["RequestId"]
    assert metadata["HTTPHeaders"]["x-amzn-errortype"].startswith("ClientException")
