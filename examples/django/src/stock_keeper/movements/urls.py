"""The paths of movements, below /v1."""

from rest_framework.routers import SimpleRouter

from .views import MovementViewSet

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("movements", MovementViewSet)
urlpatterns = router.urls
